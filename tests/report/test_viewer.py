import gzip
import hashlib

import pytest

from sr_keras.errors import SrKerasError
from sr_keras.report import viewer


def test_the_viewer_is_the_file_of_the_npm_package():
    # SHA-256 of dist/niivue.umd.js in @niivue/niivue 0.69.0, as `npm pack` gives it.
    script = gzip.decompress(viewer.compressed_viewer())
    assert hashlib.sha256(script).hexdigest() == "47b896b77ec4a5be3ef1949c33ad393b6f45629921f326c279000bcf51bdb4af"
    assert hashlib.sha256(script).hexdigest() == viewer.SCRIPT_SHA256
    assert "Redistribution and use in source and binary forms" in viewer.licence()


def test_another_file_is_refused(monkeypatch):
    monkeypatch.setattr(viewer, "SHA256", "0" * 64)
    viewer.compressed_viewer.cache_clear()
    with pytest.raises(SrKerasError, match=r"^niivue-0\.69\.0\.umd\.js\.gz of this installation is damaged; install"):
        viewer.compressed_viewer()
    viewer.compressed_viewer.cache_clear()


def test_sources_are_those_of_the_standard():
    # printf %s "alert('Hello, world.');" | openssl dgst -sha256 -binary | openssl base64, as MDN has it.
    source = viewer.source_of(b"alert('Hello, world.');")
    assert source == "'sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng='"
