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
        (changed("training", epoch=3), r"Received: training.epoch. Did you mean training.epochs\?"),
        (changed("patchs", height=3), r"Received: patchs. Did you mean patches\?"),
        ({key: TREE[key] for key in ("network", "patches")}, "must be given. Missing: training"),
        (changed("training", epochs="many"), "training.epochs must be of type int. Received: 'many'"),
        (changed("training", learning_rate="1e-3"), r"of type float \(YAML wants 1.0e-3, not 1e-3\). Received: '1e-3'"),
        (changed("training", epochs=True), "training.epochs must be of type int. Received: True"),
        (changed("training", epochs=0), "training.epochs must be above zero. Received: 0"),
        (changed("training", loss="l3"), "training.loss must be one of l1, l2, charbonnier. Received: l3"),
        (changed("training", precision="half"), "training.precision must be one of float32, .* Received: half"),
        (changed("training", seed=-1), "training.seed must be zero or more"),
        (changed("training", intermediate_weight=-1), "intermediate_weight must be zero or more"),
        (changed("network", scale=5), "network.scale must be one of 2, 3, 4. Received: 5"),
        (changed("network", stage="xy"), "network.stage must be one of hw, d. Received: xy"),
        (changed("network", family="unet"), "network.family must be one of fast, best, georgescu2020"),
        (changed("patches", width=27), "multiples of the scale, at least 7 pixels. Received: 14x27"),
        (changed("patches", batch=0), "patches.batch must be above zero"),
        ({**changed("network", stage="hw")}, "multiples of the scale|equal for the hw stage"),
        (changed("degradation", probability=2), "degradation.probability must be between 0 and 1. Received: 2"),
        (changed("degradation", sigma_low=0.6), "0 <= low <= high. Received: 0.6 and 0.5"),
        (changed("degradation", kernel_size=4), "degradation.kernel_size must be odd and above zero. Received: 4"),
        ([1, 2], "must be a mapping of keys to values"),
        (None, "must be a mapping of keys to values"),
    ],
)
def test_mistakes_are_named(tree, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_configuration(tree)


def test_files_that_are_none(tmp_path):
    with pytest.raises(ConfigurationError, match="one of best_d_x2, .*, georgescu2020_hw_x4. Received: other"):
        read_configuration("other")
    (tmp_path / "bad.yaml").write_text("a: [1, 2\nb: }")
    with pytest.raises(ConfigurationError, match="must be YAML. Received: .*bad.yaml") as caught:
        read_configuration(str(tmp_path / "bad.yaml"))
    assert "\n" not in str(caught.value)
    (tmp_path / "tree.yaml").write_text(yaml.safe_dump(TREE))
    assert read_configuration(str(tmp_path / "tree.yaml")).network.scale == 4
