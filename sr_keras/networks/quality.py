"""A network for the best picture, at most twice the multiply-adds of `georgescu2020`.

Like `fast` it learns what a cubic enlargement lacks, and all its convolutions see the low-resolution image. Chosen by
the experiments in `docs/experiments.md`.
"""

import keras

from sr_keras.networks import StageName
from sr_keras.networks.chain import build_chain, chain_reach

FILTERS = 48
# Convolutions from FILTERS to FILTERS channels. The d stage at x2 has the smallest reference.
DEPTHS: dict[tuple[StageName, int], int] = {
    ("hw", 2): 10,
    ("hw", 3): 10,
    ("hw", 4): 10,
    ("d", 2): 7,
    ("d", 3): 8,
    ("d", 4): 10,
}


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage; see `build_chain`."""
    depth = DEPTHS[stage, scale]
    return build_chain("quality", stage, scale, precision, filters=FILTERS, depth=depth, skip=True)


def reach(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels."""
    return chain_reach(DEPTHS[stage, scale])
