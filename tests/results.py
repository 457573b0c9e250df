"""What tests of reports share: a record, results made by repeating voxels, so that no network has to run, a parser."""

import json
from html.parser import HTMLParser

import nibabel
import numpy as np

from sr_keras.inference.provenance import scan_sha256

# Elements of HTML without an end.
VOID = ("meta", "br", "input", "img", "link")
RECORD = {
    "GeneratedBy": [{"Name": "sr_keras", "Version": "1.2.3"}],
    "sr_keras": {
        "request": {"factors": [2, 2, 2], "noise": 0.5, "acquisition": "auto", "self_ensemble": "none"},
        "models": {"fast_d_x2": "a1" * 32},
        "engine": "onnxruntime",
        "told": {"d x2 on k": {"fingerprint": [0.1, -2.0, -1.0], "noise": 0.5, "network_share": 0.75}},
        "steps": ["d x2 on k"],
        "warnings": ["Warning: a short axis"],
        "seconds": 3.14159,
    },
}


def doubled(path, target, *, suffix=""):
    """Write an image with each voxel eight times, and the record of its making."""
    image = nibabel.load(path)
    voxels = np.asarray(image.dataobj)
    for axis in range(3):
        voxels = np.repeat(voxels, 2, axis)
    step = np.diag([0.5, 0.5, 0.5, 1])
    step[:3, 3] = -0.25
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine @ step), target)
    record = json.loads(json.dumps(RECORD))
    record["sr_keras"]["input_sha256"] = scan_sha256(path)
    record["sr_keras"]["warnings"] += [suffix] if suffix else []
    (target.parent / f"{target.name.split('.')[0]}.json").write_text(json.dumps(record))
    return target


class Structure(HTMLParser):
    """Elements that are left open, and every address that an element names."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.addresses += [value for name, value in attrs if name in {"src", "href", "action", "data", "srcset"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        """SVG closes its elements itself."""

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def structure_of(text):
    """Parse a page; every element must be closed where it was opened."""
    parser = Structure()
    parser.feed(text)
    assert parser.open == []
    return parser
