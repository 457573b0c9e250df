"""A small network for real time: all its convolutions see the low-resolution image.

It learns what a cubic enlargement lacks. Chosen by the experiments in `docs/experiments.md`, for at most a quarter of
the MACs of `georgescu2020`.
"""

import keras

from sr_keras.networks import StageName
from sr_keras.networks.chain import build_chain, chain_receptive_field_radius

# Filters of each convolution but the last: as many as a quarter of the reference's arithmetic allows, in multiples of
# 16, which is what engines pad channels to.
WIDTHS: dict[tuple[StageName, int], tuple[int, ...]] = {
    ("hw", 2): (32, 32, 32, 16, 16),
    ("hw", 3): (32,) * 6,
    ("hw", 4): (32,) * 9,
    ("d", 2): (32, 32, 16, 16),
    ("d", 3): (32, 32, 32),
    ("d", 4): (32, 32, 32, 16, 16),
}


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage; see `build_chain`."""
    return build_chain("fast", stage, scale, precision, widths=WIDTHS[stage, scale], skip=False)


def receptive_field_radius(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels."""
    return chain_receptive_field_radius(WIDTHS[stage, scale])
