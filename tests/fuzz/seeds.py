"""Writes the seeds that fuzzing begins with."""

import gzip
import hashlib
import json
import tempfile
import zipfile
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import nibabel
import numpy as np
from dicom.synthetic import classic, enhanced
from helpers import SAMPLE
from pydicom import dcmwrite
from pydicom.uid import ImplicitVRLittleEndian
from readers import SCAN, SEEDS, SMALL

from sr_keras.io.nifti import read_volume, write_volume
from sr_keras.models.stages import SHIPPED
from sr_keras.training.configuration import read_configuration

SIDECAR = {
    "Modality": "MR",
    "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
    "SliceThickness": 1.0,
    "SpacingBetweenSlices": 1.0,
    "EchoTime": 0.003,
    "GeneratedBy": [{"Name": "sr_keras", "Version": "0.1.0"}],
    "sr_keras": {"output_bytes": 784, "request": {"factors": [2, 2, 2]}, "models": {}, "seconds": 0.5},
}
ACQUISITION = (
    b"in_plane: {method: k_space, window: hamming, cutoff: 0.9}\n"
    b"through_plane: {profile: gaussian, thickness: 1.1}\nnoise: {kind: rician, level: 1.5}\n"
)
LEDGER = (
    b'{"scan": "a", "state": "started", "worker": "h:1", "time": "2026-01-01T00:00:00+00:00"}\n'
    b'{"scan": "a", "state": "done", "output": "b", "seconds": 1.5, "models": {"m": "00"}, "warnings": ["w"]}\n'
)


def write_seeds() -> None:
    """Write the seeds anew; UIDs are new each time."""
    brain = nibabel.load(SAMPLE).slicer[80 : 80 + SMALL, 40 : 40 + SMALL, 50 : 50 + SMALL]
    voxels = np.asarray(brain.dataobj)
    files: dict[str, bytes] = {}
    for dtype in ("int16", "uint8", "float32"):
        image = nibabel.Nifti1Image(voxels.astype(dtype), brain.affine)
        if dtype == "uint8":
            image.header.set_slope_inter(2.0, -10.0)
        files[f"nifti/{dtype}.nii"] = image.to_bytes()
    files["nifti/nifti2.nii"] = nibabel.Nifti2Image(voxels, brain.affine).to_bytes()
    big = nibabel.Nifti1Image(voxels, brain.affine, nibabel.Nifti1Header(endianness=">"))
    files["nifti/big_endian.nii"] = big.to_bytes()
    for name in list(files):
        files[name.replace("nifti/", "nifti_in_gzip/")] = files[name]
    files["gzip/int16.nii.gz"] = gzip.compress(files["nifti/int16.nii"], 9, mtime=0)
    files["gzip/stored.nii.gz"] = gzip.compress(files["nifti/uint8.nii"], 0, mtime=0)
    files |= _dicom_seeds() | _other_formats(voxels, brain.affine)
    files["sidecar/scan.json"] = json.dumps(SIDECAR).encode()
    files["acquisition/scanner.yaml"], files["ledger/ledger.jsonl"] = ACQUISITION, LEDGER
    files["yaml/georgescu2020_hw_x2.yaml"] = (
        Path(__file__).parents[2] / "configs" / "georgescu2020_hw_x2.yaml"
    ).read_bytes()
    for name in ("georgescu2020_hw_x2", "georgescu2020_d_x4"):
        files[f"card/{name}.json"] = (SHIPPED / f"{name}.json").read_bytes()
        files[f"manifest/{name}.json"] = (SHIPPED / "onnx" / f"{name}.onnx.json").read_bytes()
    files["timings/one.json"] = b'{"[\\"onnxruntime\\", 16, 16]": {"batch": 4, "seconds": 0.001}}'
    files["training_log/log.csv"] = b"epoch,loss,val_final_psnr\r\n0,0.2,23.7\r\n1,0.19,23.9\r\n2,0.18,24.1\r\n"
    files["training_times/seconds.json"] = b"[1.5, 1.25, 1.0]\n"
    digests = {SCAN.decode(): hashlib.sha256(files["nifti/int16.nii"]).hexdigest()}
    configuration = asdict(read_configuration("georgescu2020_hw_x2"))
    versions = {"sr_keras": "0.1.0", "keras": "3.15", "numpy": "2", "tensorflow": "2.21"}
    description = {"training": digests, "validation": digests, "configuration": configuration, "versions": versions}
    files["training_run/run.json"] = json.dumps(description).encode()
    for name, content in files.items():
        (SEEDS / name).parent.mkdir(parents=True, exist_ok=True)
        (SEEDS / name).write_bytes(content)


def _other_formats(voxels, affine) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        nibabel.save(nibabel.Nifti1Image(voxels.astype("int16"), affine), folder / "scan.nii")
        scan = read_volume(folder / "scan.nii")
        for reader, suffix in (("pair", ".hdr"), ("mgh", ".mgh"), ("nrrd", ".nrrd"), ("metaimage", ".mha")):
            write_volume(scan, folder / f"scan{suffix}", like=scan)
            files[f"{reader}/int16{suffix}"] = (folder / f"scan{suffix}").read_bytes()
    return files


def _dicom_seeds() -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    series = [_cropped(each) for each in classic("CT", slices=3)]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, dataset in enumerate(series):
            files[f"series/{number}.dcm"] = _bytes(dataset)
            archive.writestr(f"{number}.dcm", files[f"series/{number}.dcm"])
    files["zip/series.zip"] = packed.getvalue()
    files["dicom_slice/ct.dcm"] = files["series/2.dcm"]
    series[2].file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    files["dicom_slice/implicit.dcm"] = _bytes(series[2])
    many = enhanced(slices=3)
    many.Rows = many.Columns = SMALL
    many.PixelData = many.PixelData[: 3 * SMALL * SMALL * 2]
    files["dicom/enhanced.dcm"] = _bytes(many)
    return files


def _cropped(dataset):
    dataset.Rows = dataset.Columns = SMALL
    dataset.PixelData = dataset.PixelData[: SMALL * SMALL * 2]
    return dataset


def _bytes(dataset) -> bytes:
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
