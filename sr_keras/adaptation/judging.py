"""How far an adapted network may go from the one it began with, by slices that it did not learn from.

M. Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, DOI 10.1109/CVPR52688.2022.00780: between the
weights before and after lie networks that are better than either on images unlike those it was tuned on. Through-plane
images are not quite as in-plane ones are.
"""

from dataclasses import dataclass, replace
from typing import Any

from sr_keras.adaptation.fitting import level_of, started
from sr_keras.adaptation.pairs import PatchSampler
from sr_keras.adaptation.start import Start

# Shares of the way that are tried, and the gain in dB on held-out slices that the whole way must be worth.
SHARES, DOUBT = (1.0, 0.75, 0.5), 0.05
# What must be left of a gain, in dB.
LEAST_GAIN = 0.01
# How far it goes at most where pixels of the pairs are coarser than those of the result, so that they are too sharp.
COARSE_SHARE = 0.75


@dataclass(frozen=True)
class Verdict:
    """How an adapted network does on held-out slices.

    Attributes:
        share: of the way from the weights before to those after.
        gain: there, in dB.
    """

    share: float
    gain: float

    @property
    def worth(self) -> float:
        """What is left of the gain, in dB, when the way is paid for."""
        return self.gain - DOUBT * self.share

    @property
    def accepted(self) -> bool:
        """Whether the network is used."""
        return self.worth >= LEAST_GAIN


def judge(
    start: Start, fitted: Start, held_out: PatchSampler, seed: int, *, coarse: bool = False
) -> tuple[Verdict, Start]:
    """Return the verdict on the best network between two, and that network.

    Args:
        start: before.
        fitted: after.
        held_out: patches of slices that it did not learn from.
        seed: of the patches.
        coarse: whether their pixels are coarser than those of the result.
    """
    farthest = COARSE_SHARE if coarse else SHARES[0]
    before = level_of(started(start), held_out, seed)
    verdicts = []
    for share in (each for each in SHARES if each <= farthest):
        level = level_of(started(between(start, fitted, share)), held_out, seed)
        verdicts.append(Verdict(share, level - before))
    best = max(verdicts, key=lambda each: each.worth)
    return best, between(start, fitted, best.share)


def between(start: Start, fitted: Start, share: float) -> Start:
    """Return the chain a share of the way from one to another."""
    weights: dict[str, Any] = {
        name: tuple(one + share * (other - one) for one, other in zip(arrays, fitted.weights[name], strict=True))
        for name, arrays in start.weights.items()
    }
    return replace(start, weights=weights)
