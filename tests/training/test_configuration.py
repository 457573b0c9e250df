from dataclasses import replace

import pytest
import yaml

from sr_keras.errors import ConfigurationError
from sr_keras.training.configuration import format_configuration, parse_configuration, read_configuration

TREE = {
    "network": {"family": "georgescu2020", "stage": "d", "scale": 4},
    "patches": {"height": 14, "width": 28, "batch": 128},
    "training": {"epochs": 45, "steps_per_epoch": 10, "learning_rate": 1e-3, "final_learning_rate": 1e-3},
}


def changed(section, **values):
    return {**TREE, section: {**TREE[section], **values}} if section in TREE else {**TREE, section: values}


def test_defaults_are_those_of_the_paper():
    configuration = parse_configuration(TREE)
    degradation = configuration.degradation
    assert (degradation.probability, degradation.sigma_low, degradation.sigma_high) == (0.5, 0, 0.5)
    assert degradation.kernel_size == 3
    assert (configuration.training.loss, configuration.training.intermediate_weight) == ("l1", 1)


def test_what_is_written_is_read_back(tmp_path):
    configuration = parse_configuration(changed("degradation", sigma_high=0.3))
    (tmp_path / "configuration.yaml").write_text(format_configuration(configuration))
    assert read_configuration(str(tmp_path / "configuration.yaml")) == configuration
    assert replace(configuration) == configuration


@pytest.mark.parametrize("name", ["georgescu2020_hw_x2", "georgescu2020_d_x2"])
def test_shipped_configurations_are_read_by_name(name):
    network = read_configuration(name).network
    assert f"{network.family}_{network.stage}_x{network.scale}" == name


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        (changed("training", epoch=3), r"training.epoch is no known key. Did you mean training.epochs\?"),
        (changed("patchs", height=3), r"^patchs is no known key. Did you mean patches\?"),
        ({key: TREE[key] for key in ("network", "patches")}, "^training must be given; there is no default"),
        (changed("training", epochs="many"), "training.epochs must be of type int, not 'many'"),
        (changed("training", learning_rate="1e-3"), r"of type float \(YAML wants 1.0e-3, not 1e-3\), not '1e-3'"),
        (changed("training", learning_rate=float("inf")), "training.learning_rate must be finite, not inf"),
        (changed("training", learning_rate=10**400), "training.learning_rate must be a number of at most 64 bits"),
        (changed("training", epochs=True), "training.epochs must be of type int, not True"),
        (changed("training", epochs=0), "training.epochs must be above zero, not 0"),
        (changed("training", epochs=10**5000), "training.epochs must be a number of at most 64 bits"),
        (changed("acquisition", cubic_share=1.5), "acquisition.cubic_share must be between 0 and 1, not 1.5"),
        (changed("training", loss="l3"), "training.loss must be one of l1, l2, charbonnier, psnr, not l3"),
        (changed("training", precision="half"), "training.precision must be one of float32, .*, not half"),
        (changed("training", seed=-1), "training.seed must be between 0 and 4294967295, not -1"),
        (changed("training", seed=2**32), "training.seed must be between 0 and 4294967295, not 4294967296"),
        (changed("training", intermediate_weight=-1), "intermediate_weight must be zero or more"),
        (changed("network", scale=5), "network.scale must be one of 2, 4, not 5"),
        (changed("network", stage="xy"), "network.stage must be one of hw, d, not xy"),
        (changed("network", family="unet"), "network.family must be one of fast, best, georgescu2020"),
        (changed("patches", width=27), "multiples of the scale, at least 7 pixels, not 14x27"),
        (changed("patches", batch=0), "patches.batch must be above zero"),
        ({**changed("network", stage="hw")}, "multiples of the scale|equal for the hw stage"),
        (changed("degradation", probability=2), "degradation.probability must be between 0 and 1, not 2"),
        (changed("degradation", sigma_low=0.6), "0 <= low <= high, not 0.6 and 0.5"),
        (changed("degradation", kernel_size=4), "degradation.kernel_size must be odd and above zero, not 4"),
        (changed("degradation", kernel_size=31), "kernel_size must be at most 29 for these patches, not 31"),
        (changed("network", scale=[1] * 1000), r"network.scale must be of type int, not \[1, 1, 1, 1, 1, 1, ...\]\.$"),
        ([1, 2], "must be a mapping of keys to values"),
        (None, "must be a mapping of keys to values"),
    ],
)
def test_mistakes_are_named(tree, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_configuration(tree)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigurationError, match="^other is no file; give a YAML file or one of best_d_x2, .*_hw_x4"):
        read_configuration("other")
    (tmp_path / "bad.yaml").write_text("a: [1, 2\nb: }")
    with pytest.raises(ConfigurationError, match="bad.yaml cannot be read as YAML: while parsing") as caught:
        read_configuration(str(tmp_path / "bad.yaml"))
    assert "\n" not in str(caught.value)
    (tmp_path / "tree.yaml").write_text(yaml.safe_dump(TREE))
    assert read_configuration(tmp_path / "tree.yaml").network.scale == 4


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"a: 2020-13-45", b"\xff\xfe\xfd", b"9" * 5000, b"? [a]\n: b", b"\x07"]
)
def test_hostile_files_are_refused_in_a_line(tmp_path, text):
    (tmp_path / "hostile.yaml").write_bytes(text)
    with pytest.raises(ConfigurationError) as caught:
        read_configuration(tmp_path / "hostile.yaml")
    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_aliases_of_aliases_are_refused_in_a_line(tmp_path):
    levels = [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 12)]
    (tmp_path / "laughs.yaml").write_text("\n".join(["a0: &a0 [lol]", *levels, "network: *a11"]))
    with pytest.raises(ConfigurationError, match="is no known key") as caught:
        read_configuration(tmp_path / "laughs.yaml")
    assert len(str(caught.value)) < 1000
