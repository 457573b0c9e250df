"""Ctrl-C while a stage is adapted."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import pytest


@pytest.mark.parametrize("command", ["predict", "adapt"])
def test_ctrl_c_while_it_adapts_leaves_nothing_and_has_its_code(command, thick_file, tmp_path):
    folder, messages = tmp_path / "results", tmp_path / "stderr"
    folder.mkdir()
    options = ["--scale", "1x1x2", "--adapt"] if command == "predict" else ["--scale", "2"]
    line = [sys.executable, "-m", "sr_keras", command, str(thick_file), *options, "--adapt-steps", "1000"]
    line += ["-o", str(folder / "out.nii.gz")]
    # A process that runs in the background is born deaf to the signal; the bar shows that training has begun.
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with messages.open("w") as stderr:
        environment = os.environ | {"FORCE_COLOR": "1"}
        process = subprocess.Popen(line, stderr=stderr, stdout=stderr, env=environment, preexec_fn=hearing)
    until = time.monotonic() + 90
    while not re.search(r"adapting.* [1-9]%", messages.read_text()) and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    text = messages.read_text()
    assert re.search(r"adapting.* [1-9]%", text)
    assert text.endswith("Interrupted.\n")
    assert "Traceback" not in text
    assert not list(folder.iterdir())
