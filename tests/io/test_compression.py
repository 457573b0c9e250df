import gzip
from io import BytesIO

from sr_keras.io.compression import compressed, decompressed, is_compressed


def test_what_is_written_is_gzip_and_what_is_gzip_is_read(tmp_path):
    content, file = b"a scan " * 10_000, BytesIO()
    with compressed(file) as target:
        target.write(content)
    assert gzip.decompress(file.getvalue()) == content
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(gzip.compress(content))
    with decompressed(path) as source:
        assert source.read() == content


def test_names_tell(tmp_path):
    assert is_compressed(tmp_path / "scan.NII.GZ")
    assert not is_compressed(tmp_path / "scan.nii")
