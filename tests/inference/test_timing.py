import json
from pathlib import Path

import numpy as np
import pytest

from sr_keras.engines import load_engine
from sr_keras.engines.signature import ShapeLimits
from sr_keras.errors import DeviceMemoryError
from sr_keras.inference import timing
from sr_keras.inference.timing import Timing, cache_folder, measure_timing, timing_of, workspace

HW = load_engine("georgescu2020_hw_x2", "onnx")


class Clocked:
    """An engine that takes the time that it is told: so long for a batch, and so long for each image."""

    def __init__(self, monkeypatch, batch_seconds, image_seconds, limits=None):
        self.card, self.name, self.runtime = HW.card, "clocked", "numpy"
        self.shape_limits, self.batches, self.now = limits or ShapeLimits(), [], 0.0
        self._costs = batch_seconds, image_seconds
        monkeypatch.setattr("time.perf_counter", lambda: self.now)

    def run(self, images):
        self.batches.append(len(images))
        self.now += self._costs[0] + self._costs[1] * len(images)
        return np.repeat(np.repeat(images, 2, 1), 2, 2)


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "sr_keras" / "timings.json"


@pytest.mark.parametrize(
    ("batch_seconds", "image_seconds", "limits", "timing"),
    [
        # A batch of any size takes as long: the largest is best.
        (0.01, 0.0, None, Timing(16, 0.01 / 16)),
        # Each image takes as long: the smallest is best.
        (0.0, 0.01, None, Timing(1, 0.01)),
        # So slow that one measurement has to do.
        (0.0, 9.0, None, Timing(1, 9.0)),
        (0.01, 0.0, ShapeLimits((1, 4)), Timing(4, 0.01 / 4)),
        (0.01, 0.0, ShapeLimits((3, 3)), Timing(3, 0.01 / 3)),
    ],
)
def test_the_batch_is_the_fastest(monkeypatch, batch_seconds, image_seconds, limits, timing):
    found = measure_timing(Clocked(monkeypatch, batch_seconds, image_seconds, limits), 32, 32)
    assert (found.batch, found.seconds) == (timing.batch, pytest.approx(timing.seconds))


def test_batches_that_take_much_memory_are_not_tried(monkeypatch):
    engine = Clocked(monkeypatch, 0.01, 0.0)
    assert measure_timing(engine, 256, 256).batch == 4
    assert max(engine.batches) == 4
    assert workspace(HW, 256, 256, 4) == 4 * 512 * 512 * 512


def test_a_device_without_memory_has_no_time(monkeypatch, empty_cache):
    class Full(Clocked):
        def run(self, images):
            raise DeviceMemoryError(f"{len(images)} are too many")

    assert measure_timing(Full(monkeypatch, 1, 1), 32, 32) == Timing(1, 0.0)
    # There may be some the next time.
    assert timing_of(Full(monkeypatch, 1, 1), 32, 32) == Timing(1, 0.0)
    assert not empty_cache.exists()


def test_what_was_measured_is_kept_for_each_engine_and_size(monkeypatch, empty_cache):
    engine = Clocked(monkeypatch, 0.01, 0.0)
    first = timing_of(engine, 32, 32)
    count = len(engine.batches)
    assert timing_of(engine, 32, 32) == first
    assert len(engine.batches) == count
    timing_of(engine, 32, 40)
    assert len(engine.batches) > count
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    timing_of(engine, 32, 40)
    content = json.loads(empty_cache.read_text())
    assert [json.loads(key)[-2:] for key in content] == [[32, 32], [32, 40], [32, 40]]
    assert all(HW.card.weights_sha256 in key and "numpy" in key for key in content)


@pytest.mark.parametrize("content", ["", "[]", "no JSON", '{"key": 1}', '{"key": {"batch": "x", "seconds": 1}}'])
def test_a_damaged_cache_is_no_obstacle(monkeypatch, empty_cache, content):
    empty_cache.parent.mkdir()
    empty_cache.write_text(content)
    assert timing_of(Clocked(monkeypatch, 0.01, 0.0), 32, 32).batch == 16
    assert len(json.loads(empty_cache.read_text())) == 1


def test_a_cache_that_cannot_be_written_is_no_obstacle(monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nowhere")
    assert timing_of(Clocked(monkeypatch, 0.01, 0.0), 32, 32).batch == 16


def test_an_engine_without_a_name_is_measured_and_not_kept(monkeypatch, empty_cache):
    engine = Clocked(monkeypatch, 0.01, 0.0)
    engine.name = ""
    assert timing_of(engine, 32, 32).batch == 16
    assert not empty_cache.exists()


def test_the_cache_is_the_user_s(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "sr_keras"


def test_without_a_home_nothing_is_kept(monkeypatch):
    """As in a container whose user is a number without a passwd entry."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", classmethod(lambda _: (_ for _ in ()).throw(RuntimeError("no home"))))
    assert cache_folder() is None


@pytest.mark.parametrize(
    "entry",
    [
        '{"batch": 0, "seconds": 1}',
        '{"batch": 1, "seconds": NaN}',
        '{"batch": 1, "seconds": -1}',
        '{"batch": 1e999, "seconds": 1}',
        "[" * 200_000,
    ],
)
def test_damaged_entries_of_the_cache_are_measured_again(tmp_path, entry):
    (tmp_path / "timings.json").write_text('{"key": ' + entry + "}")
    assert timing._read(tmp_path / "timings.json") == {}
