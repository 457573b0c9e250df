"""A small network for real time: all its convolutions see the low-resolution image.

It learns what a cubic enlargement lacks. Chosen by the experiments in `docs/experiments.md`, for at most a quarter of
the multiply-adds of `georgescu2020`.
"""

import keras

from sr_keras.networks import StageName
from sr_keras.networks.chain import build_chain, chain_reach

FILTERS = 24
# Convolutions from FILTERS to FILTERS channels: as many as a quarter of the reference's arithmetic allows.
DEPTHS: dict[tuple[StageName, int], int] = {
    ("hw", 2): 5,
    ("hw", 3): 9,
    ("hw", 4): 10,
    ("d", 2): 3,
    ("d", 3): 4,
    ("d", 4): 5,
}


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage; see `build_chain`."""
    depth = DEPTHS[stage, scale]
    return build_chain("fast", stage, scale, precision, filters=FILTERS, depth=depth, skip=False)


def reach(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels."""
    return chain_reach(DEPTHS[stage, scale])
