"""OpenVINO sends no telemetry."""

import subprocess
import sys

PROGRAM = """
import sys
from sr_keras.engines.openvino_engine import load_openvino
load_openvino()
from openvino.tools.ovc import telemetry_utils
print(telemetry_utils.tm.__name__, sys.modules["openvino_telemetry"])
"""


def test_openvino_is_loaded_without_its_telemetry():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "openvino.tools.ovc.telemetry_stub None\n"
