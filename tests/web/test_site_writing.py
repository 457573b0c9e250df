"""The folder that `sr-keras web` writes: the built page, the shipped models, and a service worker that knows both."""

import json
import re
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

import sr_keras
from sr_keras.cli import main
from sr_keras.errors import OutputError
from sr_keras.models.stages import SHIPPED
from sr_keras.web import write_site, writing


@pytest.fixture
def built(tmp_path, monkeypatch) -> Path:
    """A built page as small as can be."""
    folder = tmp_path / "built"
    (folder / "ort").mkdir(parents=True)
    (folder / "index.html").write_text("<html></html>")
    (folder / "__init__.py").write_text("")
    (folder / "ort" / "runtime.wasm").write_bytes(b"\0asm")
    (folder / "service-worker.js").write_text('const SITE = ["__VERSION__", JSON.parse("__FILES__")];\n')
    monkeypatch.setattr(writing, "BUILT", folder)
    return folder


def test_a_checkout_without_the_page_says_how_to_build_it(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "BUILT", tmp_path / "none")
    result = CliRunner().invoke(main, ["web", "-o", str(tmp_path / "out")])
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: The page is not built in this checkout; run make web.\n",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("built")
def test_every_shipped_stage_is_beside_the_page_and_as_it_ships(tmp_path):
    folder = write_site(tmp_path / "out").folder
    index = json.loads((folder / "models" / "index.json").read_text())
    assert {stage["name"] for stage in index["stages"]} == {*sr_keras.shipped_stages()}
    assert index["default_family"] in index["families"]
    for family, names in index["families"].items():
        assert names == [*sr_keras.choose_stages(sr_keras.shipped_stages(), family)]
    for stage in index["stages"]:
        card = sr_keras.find_stage(stage["name"]).card
        assert stage["receptive_field_radius"] == list(card.receptive_field_radius)
        # What makes an ONNX file one for a scan comes with the stages that are conditional.
        assert set(stage["files"]) == ({"onnx", "places", "weights"} if card.description else {"onnx"})
        for name in stage["files"].values():
            shipped = next(path for path in (SHIPPED / name, SHIPPED / "onnx" / name) if path.exists())
            assert sha256((folder / "models" / name).read_bytes()).digest() == sha256(shipped.read_bytes()).digest()


@pytest.mark.usefixtures("built")
def test_the_service_worker_keeps_all_but_the_runtimes(tmp_path):
    found = write_site(tmp_path / "out")
    text = (found.folder / "service-worker.js").read_text()
    quoted = re.search(r'JSON.parse\(("[^;]*")\)\]', text)
    kept = json.loads(json.loads(quoted[1]))
    assert {"./", "models/index.json", "models/fast_hw_x2.onnx"} <= set(kept)
    assert not any(name.startswith("ort/") or name == "service-worker.js" for name in kept)
    assert found.files == len(kept) + 2
    assert not (found.folder / "__init__.py").exists()


def test_other_files_give_the_service_worker_another_version(built, tmp_path):
    one, same = (write_site(tmp_path / name).folder / "service-worker.js" for name in ("one", "same"))
    (built / "index.html").write_text("<html>changed</html>")
    other = write_site(tmp_path / "other").folder / "service-worker.js"
    assert one.read_text() == same.read_text() != other.read_text()
    assert "__VERSION__" not in one.read_text()


@pytest.mark.usefixtures("built")
def test_what_another_run_wrote_meanwhile_is_kept(tmp_path, monkeypatch):
    def make_folder(folder):
        folder.mkdir()
        (folder / "index.html").write_text("of another run")

    monkeypatch.setattr(writing, "make_folder", make_folder)
    with pytest.raises(OutputError, match=r"index.html exists; use --force to overwrite\.$"):
        write_site(tmp_path / "out")
    assert [(path.name, path.read_text()) for path in (tmp_path / "out").iterdir()] == [
        ("index.html", "of another run")
    ]


@pytest.mark.usefixtures("built")
def test_a_folder_with_files_is_left_alone_without_force(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "index.html").write_text("mine")
    (output / "other.txt").write_text("mine too")
    result = CliRunner().invoke(main, ["web", "-o", str(output)])
    assert (result.exit_code, result.stderr) == (1, f"Error: {output} exists; use --force to overwrite.\n")
    assert (output / "index.html").read_text() == "mine"
    result = CliRunner().invoke(main, ["web", "-o", str(output), "--force"])
    assert result.exit_code == 0
    assert (output / "index.html").read_text() == "<html></html>"
    assert (output / "other.txt").read_text() == "mine too"
    assert f"--directory {output}" in result.output
