"""The self-ensemble: each slice also runs rotated and mirrored, and the results are joined.

R. Timofte, R. Rothe, L. Van Gool, "Seven Ways to Improve Example-Based Single Image Super Resolution" (2016), DOI
10.1109/CVPR.2016.206.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from sr_keras.engines import Engine, Images
from sr_keras.networks import StageName

SelfEnsemble = Literal["none", "mean", "median"]
Transform = Callable[[Images], Images]


def run_ensemble(engine: Engine, images: Images, self_ensemble: SelfEnsemble, out: Images | None = None) -> Images:
    """Return what a stage makes of images, in `out` where that is given; not below zero, the least networks know."""
    if self_ensemble == "none":
        made = engine.run(images)
    else:
        ways = symmetries(engine.card.stage)
        outputs = np.stack([inverse(engine.run(transform(images))) for transform, inverse in ways])
        # The median sorts a copy of them all unless it may have them.
        made = outputs.mean(axis=0) if self_ensemble == "mean" else np.median(outputs, axis=0, overwrite_input=True)
    if out is None and made.flags.writeable:
        # Some backends, such as jax, give arrays that cannot be written to.
        out = made
    # Twice as fast as `np.maximum`.
    return np.clip(made, 0, np.inf, out=out)


def symmetries(stage: StageName) -> list[tuple[Transform, Transform]]:
    """Return the ways to turn and mirror images under which a stage sees the same task, each with its inverse.

    4 rotations x 2 flips for the hw stage; 2 rotations x 2 flips for the d stage, whose second axis stays depth.
    """
    turns = range(4) if stage == "hw" else (0, 2)
    return [_symmetry(turn, flip) for turn in turns for flip in (False, True)]


def _symmetry(turns: int, flip: bool) -> tuple[Transform, Transform]:
    def transform(images: Images) -> Images:
        return np.ascontiguousarray(np.rot90(images[:, ::-1] if flip else images, turns, axes=(1, 2)))

    def inverse(images: Images) -> Images:
        rotated = np.rot90(images, -turns, axes=(1, 2))
        return rotated[:, ::-1] if flip else rotated

    return transform, inverse
