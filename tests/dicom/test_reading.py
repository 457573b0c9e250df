"""What is read is what SimpleITK and dcm2niix read."""

import hashlib

import numpy as np
import pytest
from comparing import DATA, TOLERANCE, assert_read_as_by_simpleitk, by_dcm2niix, canonical, needs

from sr_keras.dicom.reading import read_series

GROUPS = {"ge_fmri": 2, "philips_enhanced_fmri": 3}
# Debian's dcm2niix is built without JPEG-LS.
BEYOND_DCM2NIIX = ("compressed_jpegls",)
FOLDERS = sorted(path.name for path in DATA.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", FOLDERS)
def test_simpleitk_reads_the_same(name):
    assert_read_as_by_simpleitk(DATA / name, GROUPS.get(name))


@needs("dcm2niix")
@pytest.mark.parametrize("name", [name for name in FOLDERS if name not in BEYOND_DCM2NIIX])
def test_dcm2niix_reads_the_same(name, tmp_path):
    group = GROUPS.get(name, 1)
    volume = read_series(DATA / name, frame_group=group)
    voxels, affine = by_dcm2niix(DATA / name, tmp_path / "converted")
    theirs, their_affine = canonical(voxels[..., group - 1] if voxels.ndim == 4 else voxels, affine)
    ours, our_affine = canonical(volume.voxels, volume.affine)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(our_affine, their_affine, atol=TOLERANCE)


def test_the_hash_is_that_of_the_files_whatever_they_are_called(tmp_path):
    files = list((DATA / "non_isotropic").iterdir())
    for number, path in enumerate(files):
        (tmp_path / f"{len(files) - number}").write_bytes(path.read_bytes())
    digests = sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    expected = hashlib.sha256("".join(digests).encode()).hexdigest()
    assert read_series(tmp_path).header.sha256 == expected
