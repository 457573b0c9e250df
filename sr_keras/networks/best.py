"""The family with the highest PSNR, at most twice the MACs of `georgescu2020`.

Like `fast` it predicts the residual of cubic interpolation, with all convolutions at low resolution. Selected by the
experiments in `docs/experiments.md`.
"""

import keras

from sr_keras.networks import StageName
from sr_keras.networks.chain import build_chain, chain_receptive_field_radius

FILTERS = 48
# Convolutions of FILTERS channels. The d stage at x2 has fewest because `georgescu2020` needs fewest MACs there.
DEPTHS: dict[tuple[StageName, int], int] = {
    ("hw", 2): 11,
    ("hw", 4): 11,
    ("d", 2): 8,
    ("d", 4): 11,
}
# No skip where the chain of `fast` that training begins with has too many filters to leave it room.
WITHOUT_SKIP: tuple[StageName, int] = ("hw", 4)


def build(stage: StageName, scale: int, precision: str = "float32") -> keras.Model:
    """Return the untrained network of a stage; see `build_chain` for its input and outputs.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
        precision: a Keras dtype policy.
    """
    return build_chain("best", stage, scale, precision, widths=_widths(stage, scale), skip=_skip(stage, scale))


def chain(stage: StageName, scale: int) -> tuple[tuple[int, ...], bool]:
    """Return the filters of each convolution but the last, and whether there is a skip; see `build_chain`."""
    return _widths(stage, scale), _skip(stage, scale)


def receptive_field_radius(stage: StageName, scale: int) -> tuple[int, int]:
    """Return the radius of the receptive field along height and width, in low-resolution pixels.

    Args:
        stage: "hw" or "d".
        scale: upsampling factor, 2 or 4.
    """
    return chain_receptive_field_radius(_widths(stage, scale))


def _widths(stage: StageName, scale: int) -> tuple[int, ...]:
    return (FILTERS,) * DEPTHS[stage, scale]


def _skip(stage: StageName, scale: int) -> bool:
    return (stage, scale) != WITHOUT_SKIP
