"""What other programs make of DICOM, for comparison."""

import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK

from sr_keras.dicom.finding import find_series
from sr_keras.dicom.provenance import Processing
from sr_keras.dicom.reading import read_series
from sr_keras.volumes.geometry import rescaled_affine

# The largest difference of two affines that place a scan alike, in mm.
TOLERANCE = 1e-3
DATA = Path(__file__).parents[1] / "data" / "dicom"
PROCESSING = Processing({"net_hw_x2": "ab" * 32}, "TestEngine", {"self_ensemble": "none"})
SimpleITK.ProcessObject.GlobalWarningDisplayOff()


def needs(tool):
    """Skip a test where a program of Debian's is missing."""
    packages = {"dcm2niix": "dcm2niix", "dciodvfy": "dicom3tools"}
    return pytest.mark.skipif(not shutil.which(tool), reason=f"{tool} is missing: apt-get install {packages[tool]}")


def canonical(voxels, affine):
    """Return voxels and affine with the axes in the order and sense of RAS, so that programs can be compared."""
    image = nibabel.as_closest_canonical(nibabel.Nifti1Image(np.asarray(voxels, np.float64), affine))
    return image.get_fdata(), image.affine


def corners(shape, affine):
    """Return the corners of the box that the voxels fill, (8, 3), mm."""
    indices = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in shape], indexing="ij")).reshape(3, -1)
    return (affine @ np.vstack([indices, np.ones(8)]))[:3].T


def doubled(volume):
    """Return a volume of twice as many voxels along each axis, by repeating them: as good as a network here."""
    voxels = volume.voxels
    for axis in range(3):
        voxels = voxels.repeat(2, axis)
    return volume.with_voxels(voxels.astype(np.float32), rescaled_affine(volume.affine, [0.5] * 3))


def by_simpleitk(paths):
    """Return voxels (i, j, k) and affine (RAS) of sorted slices, or of one multi-frame file, read by SimpleITK."""
    image = SimpleITK.ReadImage([str(path) for path in paths] if len(paths) > 1 else str(paths[0]))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return SimpleITK.GetArrayFromImage(image).T, np.diag([-1, -1, 1, 1]) @ affine


def by_dcm2niix(folder, place):
    """Return voxels (i, j, k) or (i, j, k, time) and affine of a folder, converted by dcm2niix."""
    place.mkdir()
    # -p n: by the header's rescaling, not by what Philips keeps in private elements.
    command = ["dcm2niix", "-p", "n", "-z", "n", "-b", "n", "-f", "x", "-o", str(place), str(folder)]
    subprocess.run(command, capture_output=True, check=False)
    images = sorted(place.glob("*.nii"))
    assert len(images) == 1, images
    image = nibabel.load(images[0])
    return image.get_fdata(), image.affine


def violations(path):
    """Return the kinds of errors that dciodvfy finds in a file, without the values and tags that they quote."""
    output = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, errors="replace", check=False)
    errors = [line for line in output.stderr.splitlines() if line.startswith("Error")]
    return {
        line.split(' - "')[0].split("[")[0].split("=")[0] if "UID" in line or "VR" in line else line for line in errors
    }


def assert_read_as_by_simpleitk(folder, frame_group):
    """Compare voxels and affine of a series with what SimpleITK makes of the same files."""
    volume = read_series(folder, frame_group=frame_group)
    frames = volume.header.frames
    sources = find_series(folder)[0].sources
    voxels, affine = by_simpleitk(list(dict.fromkeys(sources[frame.file].path for frame in frames)))
    if len(sources) == 1:
        voxels = voxels[:, :, [frame.index for frame in frames]]
    np.testing.assert_allclose(volume.voxels, voxels, rtol=1e-6)
    np.testing.assert_allclose(volume.affine, affine, atol=TOLERANCE)
