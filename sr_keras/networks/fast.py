"""A small family for real-time use, at most a quarter of the MACs of `georgescu2020`.

It predicts the residual of cubic interpolation, with all convolutions at low resolution. Selected by the experiments in
`docs/experiments.md`.
"""

import keras

from sr_keras.networks import StageName
from sr_keras.networks.chain import build_chain, chain_receptive_field_radius

# Filters of each convolution but the last: as many as a quarter of the MACs of `georgescu2020` allows, in multiples of
# 16, to which runtimes pad channels.
WIDTHS: dict[tuple[StageName, int], tuple[int, ...]] = {
    ("hw", 2): (32, 32, 32, 16, 16),
    ("hw", 4): (32,) * 9,
    ("d", 2): (32, 32, 16, 16),
    ("d", 4): (32, 32, 32, 16, 16),
}


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage; see `build_chain` for its input and outputs.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
        precision: a Keras dtype policy.
    """
    return build_chain("fast", stage, scale, precision, widths=WIDTHS[stage, scale], skip=False)


def chain(stage: StageName, scale: int) -> tuple[tuple[int, ...], bool]:
    """Return the filters of each convolution but the last, and whether there is a skip; see `build_chain`."""
    return WIDTHS[stage, scale], False


def receptive_field_radius(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
    """
    return chain_receptive_field_radius(WIDTHS[stage, scale])
