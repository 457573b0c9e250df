"""The command line as a user meets it: a process, its exit code, its two streams and its files."""

import json
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest
from click.testing import CliRunner
from helpers import SAMPLE, write_scan

import sr_keras
from sr_keras.cli import main
from sr_keras.models.registry import by_family
from sr_keras.models.stages import SHIPPED, shipped_stages
from sr_keras.volumes.resampling import downsample_volume

CARD = str(Path(sr_keras.__file__).parent / "weights" / "georgescu2020_hw_x2.json")


def run(*arguments, expect=0):
    """Run a command in this process; return its result."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == expect, result.output
    return result


def test_predict_says_what_it_wrote(small_scan, tmp_path):
    result = run("predict", small_scan, "-o", tmp_path / "out.nii.gz", "--scale", "2")
    assert "out.nii.gz: 96x80x48 voxels of 0.572917x0.572917x0.5 mm, MR, " in result.stdout
    assert nibabel.load(tmp_path / "out.nii.gz").shape == (96, 80, 48)


def test_predict_reads_values_as_people_write_them(small_scan, tmp_path):
    options = ("--scale", "2.0", "--modality", "MR", "--memory", "4GiB", "--dry-run")
    assert "Result: 96x80x48 voxels" in run("predict", small_scan, "-o", tmp_path / "out.nii.gz", *options).stdout
    assert (
        "Result: 120x100x60 voxels"
        in run("predict", small_scan, "-o", tmp_path / "out.nii.gz", "--scale", "2.5", "--dry-run").stdout
    )


def test_predict_to_a_spacing_with_an_ensemble_and_another_type(small_scan, tmp_path):
    out = tmp_path / "out.nii"
    run("predict", small_scan, "-o", out, "--spacing", "1x1x0.5", "--self-ensemble", "median", "--dtype", "float32")
    written = nibabel.load(out)
    assert written.header.get_zooms() == pytest.approx((1, 1, 0.5), rel=1e-5)
    assert written.get_data_dtype() == np.float32


def test_predict_consistently_says_how_far_the_networks_were_from_the_scan(small_scan, tmp_path):
    out = tmp_path / "out.nii"
    result = run("predict", small_scan, "-o", out, "--scale", "2x2x1", "--data-consistency", "--dtype", "float32")
    assert "Back-projection: the downsampled result differed from the scan by " in result.stderr.splitlines()[-1]
    again = downsample_volume(nibabel.load(out).get_fdata(dtype=np.float32), (2, 2, 1))
    np.testing.assert_allclose(again, nibabel.load(small_scan).get_fdata(), atol=0.01)


def test_predict_warns_of_a_noisy_scan_in_one_line(tmp_path):
    noise = np.random.default_rng(0).normal(500, 100, (48, 48, 12)).astype(np.int16)
    scan = write_scan(tmp_path / "noise.nii", noise)
    options = ("--scale", "2x2x1", "--quality", "georgescu2020")
    result = run("predict", scan, "-o", tmp_path / "out.nii", *options)
    assert result.stderr.startswith("Warning: ")
    assert "scan looks noisy or aliased along ij (" in result.stderr
    assert "dB, threshold -7 dB); the result may be worse than cubic interpolation." in result.stderr
    assert result.stderr.count("\n") == 1


def test_predict_keeps_as_much_noise_as_it_is_told_and_says_what_it_measured(small_scan, tmp_path):
    results = {}
    for noise in ("keep", "0.2"):
        out = tmp_path / f"{noise}.nii.gz"
        run("predict", small_scan, "-o", out, "--scale", "2x2x1", "--noise", noise, "--dtype", "float32")
        results[noise] = nibabel.load(out).get_fdata()
        record = json.loads((tmp_path / f"{noise}.json").read_text())["sr_keras"]
        told = record["told"]["hw x2 on ij"]
        assert told["noise"] == (1.0 if noise == "keep" else 0.2)
        assert len(told["fingerprint"]) == 16
        assert record["request"]["acquisition"] == "auto"
    assert np.abs(results["keep"] - results["0.2"]).max() > 1


def test_predict_presumes_an_acquisition(small_scan, tmp_path):
    (tmp_path / "scanner.yaml").write_text("in_plane: {method: k_space, window: hamming}\n")
    told = []
    for number, name in enumerate(("mri_hamming_1", tmp_path / "scanner.yaml")):
        out = tmp_path / f"{number}.nii.gz"
        run("predict", small_scan, "-o", out, "--scale", "2x2x1", "--acquisition", name)
        told.append(json.loads((tmp_path / f"{number}.json").read_text())["sr_keras"]["told"]["hw x2 on ij"])
    # The same window, without noise.
    assert told[0]["fingerprint"][0] == pytest.approx(told[1]["fingerprint"][0], abs=0.1)
    assert told[0]["fingerprint"][-1] > told[1]["fingerprint"][-1]


def test_the_process_keeps_to_its_streams_and_codes(small_scan, tmp_path):
    command = [
        sys.executable,
        "-m",
        "sr_keras",
        "predict",
        str(small_scan),
        "-o",
        str(tmp_path / "out.nii"),
        "--scale",
        "1x1x2",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.count("\n") == 1
    assert again.stderr.endswith("out.nii exists; use --force to overwrite.\n")


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--scale", "9"), 2, "from 1 to 8, not 9x9x9; for a coarser result give --spacing"),
        (("--scale", "two"), 2, "one number from 1 to 8"),
        (("--volume", "2"), 1, "has no volume 2; choose --volume 1 to 1"),
        (("--like", "nowhere.nii"), 1, "nowhere.nii does not exist; check the path"),
        (("--labels", "nowhere.nii", "out2.nii"), 1, "nowhere.nii does not exist; check the path of the segmentation"),
        (("--quiet", "--verbose"), 2, "--quiet or --verbose, not both"),
        (("--threads", "4096"), 1, "--threads 4096 is more than the"),
        (("--spacing", "0"), 2, "mm above zero"),
        (("--dtype", "int7"), 2, "one of uint8, int8"),
        (("--nan-fill", "nan"), 2, "is no usable value; give a finite number"),
        (("--nan-fill", "none"), 2, "none is no number; give one such as 0"),
        (("--noise", "loud"), 2, "keep, reduce or a number from 0 to 1"),
        (("--acquisition", "nowhere"), 2, "Received: nowhere"),
        (("--memory", "lots"), 2, "write it like 4G, 500M or 4GiB"),
        (("--memory", "20M"), 1, "20.0 MB may be used; allow more with --memory"),
        (("--model", "unet"), 2, "unet is not a model; "),
        (("--slice-axis", "3"), 2, "--slice-axis"),
        (("--scale", "2", "--spacing", "1"), 2, "--scale or --spacing, --like or --isotropic, not both"),
        (("--model", "georgescu2020_hw_x2", "--model", CARD), 2, "two are for the same"),
        (("--model", CARD, "--model", CARD), 2, "Give each --model once"),
        (("--bigger",), 2, "No such option"),
    ],
)
def test_predict_refuses_with_one_line_and_writes_nothing(small_scan, tmp_path, options, code, message):
    result = run("predict", small_scan, "-o", tmp_path / "out.nii.gz", *options, expect=code)
    assert message in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())
    if code == 1:
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("export", "fast_hw_x2", "--format", "paper", "-o", "out"), "paper is not a format; choose from"),
        (("export", "fast_hw_x2", "--format", "onnx", "--precision", "fp7", "-o", "out"), "fp7 is not a precision"),
        (("export", "fast_hw_x2", "--format", "onnx", "--shape", "9", "-o", "out"), "9 is not a shape; write batch"),
        (("export", "unet", "--format", "onnx", "-o", "out"), "unet is not a model"),
        (("benchmark", "unet"), "unet is not a model"),
        (("benchmark", "fast_hw_x2", "--shape", "small"), "small is not a size; write height and width"),
        (("benchmark", "fast_hw_x2", "--batch", "0"), "0 is not a list of batch sizes"),
        (("benchmark", "fast_hw_x2", "--engine", "paper"), "paper is not an engine; choose from"),
        (("evaluate", str(SAMPLE), "--acquisition", "nowhere"), "Received: nowhere"),
        (("evaluate", str(SAMPLE), "--task", "none"), "'none' is not one of"),
        (("models", "unet"), "unet is not a model"),
        (("adapt", str(SAMPLE), "--scale", "9", "-o", "out"), "9 is not in the range"),
    ],
)
def test_a_mistake_in_the_call_has_a_code_of_its_own(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*command, expect=2)
    assert message in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [("evaluate", "{scan}", "--json"), ("benchmark", "fast_hw_x2", "--scan", "{scan}", "--json")]
)
def test_scores_and_times_never_replace_a_scan(small_scan, tmp_path, command):
    shutil.copy(small_scan, tmp_path / "scan.nii.gz")
    (tmp_path / "link.json").symlink_to(tmp_path / "scan.nii.gz")
    for output in ("scan.nii.gz", "link.json"):
        arguments = [part.format(scan=tmp_path / "scan.nii.gz") for part in command]
        result = run(*arguments, tmp_path / output, "--force", expect=1)
        assert f"{output} is the input itself; choose another output" in result.stderr
    assert (tmp_path / "scan.nii.gz").read_bytes() == small_scan.read_bytes()


@pytest.mark.parametrize("memory", [(), ("--memory", "4G")])
def test_a_dry_run_says_what_it_will_take_and_writes_nothing(small_scan, tmp_path, memory):
    printed = run("predict", small_scan, "-o", tmp_path / "out.nii", *memory, "--dry-run").stdout
    cells = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines()]
    rows = {row[1]: row for row in cells if len(row) > 1}
    assert rows["d x2 on k"][2:4] == ["48x40x48", "48 of 40x24 + 40 of 48x24"]
    assert rows["hw x2 on ij"][2:4] == ["96x80x48", "48 of 48x40"]
    # 16,714 MACs a pixel in two orientations, and 26,308.
    assert rows["d x2 on k"][5] == f"{16_714 * 2 * 48 * 40 * 24 / 1e9:.0f}"
    assert rows["hw x2 on ij"][5] == f"{26_308 * 48 * 48 * 40 / 1e9:.0f}"
    assert (
        "Volume between the stages: memory. Output buffer: nowhere. Temporary files: 0 bytes. Peak memory: " in printed
    )
    assert "Result: 96x80x48 voxels of 0.572917x0.572917x0.5 mm, MR; 737.3 kB before compression." in printed
    assert "Models: fast_d_x2, fast_hw_x2. Slice axis: 2 (k)." in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "sent", "said", "code"),
    [
        ("out.nii", signal.SIGINT, "Interrupted.\n", 130),
        ("out.nii.gz", signal.SIGINT, "Interrupted.\n", 130),
        ("out.nii", signal.SIGTERM, "", 143),
        ("out.nii", signal.SIGHUP, "", 129),
    ],
)
def test_an_interruption_leaves_nothing_behind_and_has_its_code(tmp_path, name, sent, said, code):
    # The slowest way there is, so that it is not done before the signal comes.
    command = [sys.executable, "-m", "sr_keras", "predict", str(SAMPLE), "-o", str(tmp_path / name)]
    command += ["--quality", "best", "--self-ensemble", "mean"]
    # A process that runs in the background is born deaf to the signal, and so would be its children.
    hearing = partial(signal.signal, sent, signal.SIG_DFL)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hearing)
    # The file that is not finished shows that the work has begun.
    until = time.monotonic() + 60
    while not any(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    assert any(tmp_path.iterdir())
    process.send_signal(sent)
    assert process.communicate(timeout=60)[1] == said
    assert process.returncode == code
    assert not list(tmp_path.iterdir())


def test_predict_a_folder_ends_with_a_summary_and_a_code(small_scan, tmp_path):
    scans = tmp_path / "scans"
    scans.mkdir()
    (scans / "good.nii.gz").write_bytes(small_scan.read_bytes())
    (scans / "bad.nii.gz").write_bytes(b"no scan")
    result = run("predict", scans, "-o", tmp_path / "out", "--scale", "2x2x1", expect=1)
    assert "1 done, 0 skipped, 1 failed" in result.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"good.nii.gz", "good.json"}


def test_evaluate_prints_a_table_and_writes_figures(small_scan, tmp_path):
    result = run(
        "evaluate", small_scan, "--task", "in-plane", "--json", tmp_path / "s.json", "--figure", tmp_path / "f.png"
    )
    rows = json.loads((tmp_path / "s.json").read_text())
    assert [row["method"] for row in rows][:4] == ["nearest", "linear", "cubic", "lanczos"]
    assert len(rows) == 4 + len(by_family(shipped_stages()))
    assert f"{rows[4]['slice_psnr']:.2f}" in result.stdout
    assert (tmp_path / "f.png").stat().st_size > 10_000
    again = run("evaluate", small_scan, "--json", tmp_path / "s.json", expect=1)
    assert "s.json exists; use --force to overwrite." in again.stderr


@pytest.mark.parametrize("scale", ["0", "1", "3", "-2", "two"])
def test_evaluate_refuses_scales_without_models(small_scan, tmp_path, scale):
    model = ("--model", "fast_hw_x2", "--json", tmp_path / "s.json")
    result = run("evaluate", small_scan, *model, "--scale", scale, expect=2)
    assert result.stdout == ""
    if scale == "3":
        assert "Error: the models have no stages for a scale of 3; use 2 or 4 or 8." in result.stderr
    assert not (tmp_path / "s.json").exists()


def test_evaluate_draws_one_scan_into_a_picture(small_scan, tmp_path):
    result = run("evaluate", small_scan, "--figure", tmp_path / "f.txt", expect=1)
    assert "f.txt is no picture; name a file with a suffix such as .png" in result.stderr
    shutil.copy(small_scan, tmp_path / "a.nii.gz")
    shutil.copy(small_scan, tmp_path / "b.nii.gz")
    result = run("evaluate", tmp_path, "--figure", tmp_path / "f.png", expect=2)
    assert "--figure draws one scan, not 2; give one" in result.stderr


def test_evaluate_goes_on_after_a_scan_that_fails(small_scan, tmp_path):
    write_scan(tmp_path / "a.nii", np.zeros((16, 16, 16), np.int16))
    shutil.copy(small_scan, tmp_path / "b.nii.gz")
    options = ("--model", "fast_hw_x2", "--json", tmp_path / "s.json")
    result = run("evaluate", tmp_path, *options, expect=1)
    assert {row["scan"] for row in json.loads((tmp_path / "s.json").read_text())} == {"b.nii.gz"}
    assert result.stderr.count("\n") == 2
    assert "a.nii shows no tissue; leave it out.\n1 of 2 scans failed" in result.stderr


SERIES = "holds 3 volumes; extract one into a file first, as fslroi does."
NOT_FINITE = "voxels are NaN or infinite; replace them in the file, or those of a scan with --nan-fill where"


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "{bad}"),
        ("adapt", "{bad}", "-o", "out"),
        ("export", "fast_hw_x2", "--format", "onnx", "--scan", "{bad}", "-o", "out"),
        ("predict", "{scan}", "-o", "out.nii", "--nan-fill", "0", "--labels", "{bad}", "seg.nii"),
    ],
)
def test_remedies_can_be_followed_where_they_are_given(small_scan, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    voxels = np.random.default_rng(0).random((16, 16, 16, 3), np.float32)
    write_scan(Path("series.nii"), voxels)
    voxels[3, 3, 3] = np.nan
    write_scan(Path("nan.nii"), voxels[..., 0])
    for bad, remedy in (("series.nii", SERIES), ("nan.nii", NOT_FINITE)):
        error = run(*(part.format(scan=small_scan, bad=bad) for part in command), expect=1).stderr
        assert f"{bad} {remedy}" in error.replace(": 1 ", " ")
        assert "--volume" not in error


def test_evaluate_keeps_scans_of_one_file_name_apart(small_scan, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(small_scan, tmp_path / name / "scan.nii.gz")
    options = ("--task", "in-plane", "--model", "fast_hw_x2", "--json", tmp_path / "s.json")
    result = run("evaluate", tmp_path / "a" / "scan.nii.gz", tmp_path / "b" / "scan.nii.gz", *options)
    for name in ("a/scan.nii.gz", "b/scan.nii.gz"):
        assert result.stdout.count(f"| {name} | in-plane |") == 2
        assert result.stdout.count(f"{name}: data_range ") == 1
    rows = json.loads((tmp_path / "s.json").read_text())
    assert len({(row["scan"], row["method"]) for row in rows}) == len(rows)


def test_evaluate_compares_models(small_scan):
    result = run("evaluate", small_scan, "--model", "georgescu2020_hw_x2", "--model", CARD)
    assert "| georgescu2020_hw_x2 | /" in " ".join(result.stdout.split())
    assert result.stdout.count("in-plane") == 2
    assert "through-plane" not in result.stdout


def test_evaluate_tells_models_apart_by_their_names(small_scan, tmp_path):
    twins = [tmp_path / folder / "georgescu2020_hw_x2.onnx" for folder in "ab"]
    for twin in twins:
        twin.parent.mkdir()
        for suffix in ("", ".json"):
            shutil.copyfile(f"{SHIPPED / 'onnx' / twin.name}{suffix}", f"{twin}{suffix}")
    result = run("evaluate", small_scan, "--model", twins[0], "--model", twins[1], expect=2)
    assert "Models to compare must have names of their own. Received: " in result.stderr


def test_export_into_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("mine")
    result = run("export", "fast_hw_x2", "--format", "onnx", "-o", tmp_path / "file", expect=1)
    assert result.stderr.count("\n") == 1
    assert "file is a file; name a folder for the results." in result.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_models_lists_what_ships():
    lines = [" ".join(line.split()) for line in run("models").stdout.splitlines()]
    assert any(line.startswith("| georgescu2020_hw_x2 | in-plane | x2 | +") for line in lines)
    assert len(lines) == 2 + len(shipped_stages())
    assert run("models", "georgescu2020_hw_x2").stdout.startswith("## georgescu2020_hw_x2\n")


def test_train_warns_of_scans_that_are_learned_from_and_judged_by(small_scan, tmp_path):
    (tmp_path / "scans").mkdir()
    shutil.copy(small_scan, tmp_path / "scans" / "a.nii.gz")
    (tmp_path / "link.nii.gz").symlink_to(tmp_path / "scans" / "a.nii.gz")
    # A folder that is there ends the command before the training.
    command = ("train", "georgescu2020_hw_x2", "-o", tmp_path, "--data", tmp_path / "scans", "--validation")
    warning = "link.nii.gz is in --data and in --validation; validate on other patients, or the scores mean little."
    said = run(*command, tmp_path / "link.nii.gz", expect=1).stderr
    assert said.startswith(f"Warning: {warning}\nError: ")
    assert "Warning" not in run(*command, small_scan, expect=1).stderr


def test_train_wants_either_a_new_run_or_an_old_one(tmp_path):
    assert "or --resume RUN alone" in run("train", expect=2).stderr
    assert "or --resume RUN alone" in run("train", "x", "-o", tmp_path, "--resume", tmp_path, expect=2).stderr
    assert "or --resume RUN alone" in run("train", "x", "--data", tmp_path, "--resume", tmp_path, expect=2).stderr
    unvalidated = ("train", "georgescu2020_hw_x2", "--data", tmp_path, "-o", tmp_path / "run")
    assert "or --resume RUN alone" in run(*unvalidated, expect=2).stderr
    assert "give the folder of a run" in run("train", "--resume", tmp_path, expect=1).stderr
    result = run(*unvalidated, "--validation", tmp_path, expect=1)
    assert "is no scan: neither .nii, .nii.gz or DICOM, nor a folder of them" in result.stderr


@pytest.mark.parametrize("command", [[], ["predict"], ["evaluate"], ["train"], ["models"]])
def test_every_command_explains_itself(command):
    assert "Usage: " in run(*command, "--help").stdout


def test_the_version_is_that_of_the_package():
    assert run("--version").stdout.startswith("sr-keras, version 0.")


def test_a_hostile_card_does_not_reach_the_terminal(tmp_path):
    card = json.loads(Path(CARD).read_text())
    card["trained_on"] = {"a\x1b]0;title\x07[/bold][red]b.nii": "0" * 64}
    (tmp_path / "card.json").write_text(json.dumps(card))
    shutil.copy(CARD.replace(".json", ".weights.h5"), tmp_path / "card.weights.h5")
    printed = run("models", tmp_path / "card.json").stdout
    assert "a\\x1b]0;title\\x07[/bold][red]b.nii" in printed
    assert printed.replace("\n", "").isprintable()


@pytest.mark.parametrize("scans", [1, 2])
def test_what_cannot_be_printed_is_said_and_the_results_stay(small_scan, tmp_path, scans):
    paths = [shutil.copy(small_scan, tmp_path / f"{number}.nii.gz") for number in range(scans)]
    output = tmp_path / ("out.nii.gz" if scans == 1 else "out")
    command = [sys.executable, "-m", "sr_keras", "predict", *paths, "-o", output, "--scale", "2x2x1"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: What the command says could not be written: No space left on device. Finished results are in place.\n"
    )
    assert nibabel.load(output if scans == 1 else output / "0.nii.gz").shape == (96, 80, 24)


def test_closed_streams_are_no_obstacle(small_scan, tmp_path):
    line = f'"{sys.executable}" -m sr_keras predict "{small_scan}" -o "{tmp_path}/out.nii.gz" --scale 2x2x1 >&- 2>&-'
    assert subprocess.run(["sh", "-c", line], check=False).returncode == 0
    assert nibabel.load(tmp_path / "out.nii.gz").shape == (96, 80, 24)
