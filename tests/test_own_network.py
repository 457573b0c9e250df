"""A researcher's network, of no family: trained, exported, verified, benchmarked and used by `predict`."""

from pathlib import Path

import keras
import nbclient
import nbformat
import nibabel
import numpy as np
import pytest
from click.testing import CliRunner

import sr_keras
from sr_keras.benchmark.candidates import find_candidates
from sr_keras.benchmark.session import run_benchmark
from sr_keras.benchmark.settings import Settings
from sr_keras.cli import main
from sr_keras.errors import ConfigurationError, ModelFileError
from sr_keras.export import Request, export_stage, verify
from sr_keras.training.configuration import parse_configuration

NOTEBOOK = Path(__file__).parents[1] / "examples" / "own_network.ipynb"


def own_network():
    images = keras.Input((None, None, 1))
    features = images
    for _ in range(3):
        features = keras.layers.Conv2D(16, 3, padding="same", activation="relu")(features)
    details = keras.ops.depth_to_space(keras.layers.Conv2D(4, 3, padding="same")(features), 2)
    outputs = keras.layers.Add()([details, keras.layers.UpSampling2D(2)(images)])
    return keras.Model(images, outputs, name="mine")


@pytest.fixture(scope="module")
def trained(small_scan):
    """The network after a few steps, and the loss of each epoch."""
    keras.utils.set_random_seed(0)
    model = own_network()
    batches = sr_keras.training_batches([small_scan], "hw", 2, patch=32, batch=8)
    model.compile(keras.optimizers.Adam(1e-2), sr_keras.charbonnier, metrics=[sr_keras.psnr, sr_keras.ssim])
    history = model.fit(batches, epochs=3, steps_per_epoch=6, shuffle=False, verbose=0).history
    return sr_keras.KerasEngine(model, stage="hw", scale=2), history


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """An exported file by its format."""
    folder = tmp_path_factory.mktemp("exported")
    return {kind: export_stage(Request(trained[0].stage), kind, folder)[0] for kind in ("onnx", "litert")}


def test_it_learns(trained):
    _, history = trained
    assert history["loss"][-1] < history["loss"][0]
    assert history["psnr"][-1] > history["psnr"][0]


def test_its_card_says_what_could_be_found_out(trained):
    card = trained[0].card
    assert (card.name, card.receptive_field_radius, card.scores) == ("mine_hw_x2", (4, 4), [])
    # 9 * (1 * 16 + 16 * 16 + 16 * 16 + 16 * 4) products a pixel, and as many weights with 16 * 3 + 4 biases.
    assert (card.macs, card.parameters) == (5328, 5380)


@pytest.mark.parametrize("kind", ["onnx", "litert"])
def test_it_is_exported_and_verified(trained, exported, kind):
    verification = verify(exported[kind], model=trained[0]).verification
    assert verification["status"] == "passed"
    assert verification["largest_error"] < 1e-5
    with pytest.raises(ModelFileError, match="not from a stage that ships; name its stage with --model"):
        verify(exported[kind])


def test_a_file_of_other_weights_is_not_verified(exported):
    other = sr_keras.KerasEngine(own_network(), stage="hw", scale=2)
    with pytest.raises(ModelFileError, match="not from mine_hw_x2; name its stage"):
        verify(exported["onnx"], model=other)


def test_predict_runs_the_exported_file_as_the_library_runs_the_model(trained, exported, small_scan, tmp_path):
    words = [str(small_scan), "-o", str(tmp_path / "out.nii"), "--scale", "2x2x1", "--dtype", "float32"]
    result = CliRunner().invoke(main, ["predict", *words, "--model", str(exported["onnx"])])
    assert result.exit_code == 0, result.output
    with pytest.warns(UserWarning, match="noisy or aliased"):
        expected = sr_keras.upscale(small_scan, (2, 2, 1), models=[trained[0]])
    # In the scan's own units, of which it has thousands.
    np.testing.assert_allclose(nibabel.load(tmp_path / "out.nii").get_fdata(), expected.voxels, atol=0.05)


def same_output(report):
    """Whether the second engine computes what the first does; no PSNR is that of equal outputs."""
    psnr = report["measurements"][1]["psnr_to_baseline"]
    return psnr is None or psnr > 100


def test_its_exports_are_benchmarked(exported):
    settings = Settings(height=16, width=16, batches=(1,), seconds=0.05, repeats=1)
    candidates = find_candidates([str(path) for path in exported.values()], None, "fp32", Path())
    report = run_benchmark(candidates, settings, lambda _: None)
    assert [each["macs"] for each in report["measurements"]] == [5328 * 16 * 16] * 2
    assert same_output(report)


@pytest.mark.slow
def test_the_model_itself_is_benchmarked(trained, tmp_path):
    candidates = find_candidates([trained[0]], "keras,onnx", "fp32", tmp_path)
    settings = Settings(height=16, width=16, batches=(1,), seconds=0.05, repeats=1)
    report = run_benchmark(candidates, settings, lambda _: None)
    assert [each["runtime"] for each in report["measurements"]] == ["Keras", "onnxruntime"]
    assert same_output(report)
    (alone,) = find_candidates([trained[0]], None, "fp32", tmp_path)
    assert alone.label == "mine_hw_x2 keras"


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    def call(self, images):
        return keras.ops.repeat(keras.ops.repeat(images, 2, axis=1), 2, axis=2)


@pytest.mark.slow
def test_a_layer_that_another_process_does_not_know_is_named(tmp_path):
    images = keras.Input((None, None, 1))
    engine = sr_keras.KerasEngine(keras.Model(images, Doubled()(images), name="doubled"), stage="hw", scale=2)
    with pytest.raises(ModelFileError, match="^doubled_hw_x2 has a layer that another process cannot load"):
        run_benchmark(find_candidates([engine], "keras", "fp32", tmp_path), Settings(), lambda _: None)


def test_an_engine_needs_a_stage_and_a_scale_just_once():
    with pytest.raises(ConfigurationError, match="^Give the stage and the scale of a Keras model, as in stage='hw'"):
        sr_keras.KerasEngine(own_network())
    with pytest.raises(ConfigurationError, match="^The stage must be hw .* Received: x"):
        sr_keras.KerasEngine(own_network(), stage="x", scale=2)
    with pytest.raises(ConfigurationError, match="^The scale must be a whole number, 2 or more. Received: 1"):
        sr_keras.KerasEngine(own_network(), stage="hw", scale=1)
    with pytest.raises(ConfigurationError, match="^mine upsamples height x2 and width x2, which is not what d x2 does"):
        sr_keras.KerasEngine(own_network(), stage="d", scale=2)
    with pytest.raises(ConfigurationError, match="^A trained stage has a stage and a scale on its card"):
        sr_keras.KerasEngine(sr_keras.find_stage("fast_hw_x2"), stage="hw", scale=2)


def test_a_shipped_model_is_a_keras_model_that_gives_what_its_engine_gives():
    model = sr_keras.load_model("fast_d_x2")
    images = np.random.default_rng(0).random((2, 12, 10), np.float32)
    output = keras.ops.convert_to_numpy(model(images[..., None])["final"])[..., 0]
    np.testing.assert_allclose(output, sr_keras.KerasEngine(model, stage="d", scale=2).run(images), atol=1e-6)
    np.testing.assert_allclose(output, sr_keras.load_engine("fast_d_x2", "onnx").run(images), atol=1e-5)


@pytest.mark.slow
def test_half_precision_of_a_network_of_one_s_own_is_exported(trained, tmp_path):
    path, manifest = export_stage(Request(trained[0].stage, "fp16"), "saved_model", tmp_path)
    assert manifest.verification["status"] == "passed"
    assert path.is_dir()


@pytest.mark.slow
def test_a_registered_family_is_trained_and_its_run_found(small_scan, tmp_path):
    sr_keras.register_family("registered", lambda *_: own_network())
    tree = {
        "network": {"family": "registered", "stage": "hw", "scale": 2},
        "patches": {"height": 16, "width": 16, "batch": 2},
        "training": {"epochs": 1, "steps_per_epoch": 2, "learning_rate": 1e-3, "final_learning_rate": 1e-3},
    }
    sr_keras.start_training(parse_configuration(tree), [small_scan], [small_scan], tmp_path / "run")
    stage = sr_keras.find_stage(tmp_path / "run")
    assert (stage.card.name, stage.card.receptive_field_radius) == ("registered_hw_x2", (4, 4))
    assert sr_keras.load_engine(tmp_path / "run").run(np.zeros((1, 16, 16), np.float32)).shape == (1, 32, 32)


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    outputs = "".join(str(output) for cell in notebook.cells for output in cell.get("outputs", []))
    assert "(48, 40, 24) -> (96, 80, 24)" in outputs
    assert "'status': 'passed'" in outputs
