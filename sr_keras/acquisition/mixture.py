"""The mixture of acquisitions that networks are trained on."""

from dataclasses import replace

import numpy as np

from sr_keras.acquisition.description import Acquisition, InPlane, Noise, ThroughPlane

# Shares of scans that are downsampled by cubic interpolation, after they were acquired, so that no noise is added; of
# the ways in which the others are acquired; and of those without added noise.
CUBIC_SHARE = 0.25
MR_IN_PLANE = {"k_space": 0.8, "gaussian": 0.15, "box": 0.05}
CT_IN_PLANE = {"gaussian": 0.65, "box": 0.35}
MR_THROUGH_PLANE = {"slr": 0.3, "gaussian": 0.45, "box": 0.25}
CT_THROUGH_PLANE = {"raised_cosine": 0.6, "gaussian": 0.25, "box": 0.15}
WINDOWS = {"none": 0.3, "fermi": 0.3, "tukey": 0.15, "hamming": 0.25}
WITHOUT_NOISE = 0.25
# The paper smooths half of the patches before cubic interpolation, by up to half a voxel.
BLUR_SHARE, LARGEST_BLUR = 0.5, 0.5
# Scans whose columns' axis is coarser than the rows', as of rectangular matrices and of reformatted volumes.
ANISOTROPIC_SHARE, LARGEST_ANISOTROPY = 0.25, 2.0


def draw_acquisition(modality: str, generator: np.random.Generator, cubic_share: float = CUBIC_SHARE) -> Acquisition:
    """Draw an acquisition from the mixture.

    Args:
        modality: "CT" or "MR".
        generator: the source of randomness.
        cubic_share: how often it is antialiased cubic downsampling, which no scanner does, 0 to 1.
    """
    if generator.random() < cubic_share:
        blur = _blur(generator)
        return Acquisition(InPlane("cubic", blur=blur), ThroughPlane("cubic", blur=blur))
    is_ct = modality == "CT"
    in_plane = _in_plane(_choice(CT_IN_PLANE if is_ct else MR_IN_PLANE, generator), is_ct, generator)
    through_plane = _through_plane(_choice(CT_THROUGH_PLANE if is_ct else MR_THROUGH_PLANE, generator), generator)
    return Acquisition(in_plane, through_plane, _noise(is_ct, generator))


def _in_plane(method: str, is_ct: bool, generator: np.random.Generator) -> InPlane:
    anisotropy = _log_uniform(1.0, LARGEST_ANISOTROPY, generator) if generator.random() < ANISOTROPIC_SHARE else 1.0
    if method == "box":
        return InPlane(method)
    if method == "gaussian":
        return InPlane(method, width=_log_uniform(0.7, 2.5 if is_ct else 2.0, generator), anisotropy=anisotropy)
    zero_filled, partial = generator.random(2) < (0.25, 0.2)
    drawn = InPlane(
        method,
        window=_choice(WINDOWS, generator),
        cutoff=float(generator.uniform(0.8, 1.0)),
        fall=float(generator.uniform(0.03, 0.2)),
        alpha=float(generator.uniform(0.5, 0.8)),
        acquired=float(generator.uniform(0.6, 1.0)) if zero_filled else 1.0,
        partial_fourier=float(generator.uniform(0.75, 1.0)) if partial else 1.0,
        anisotropy=anisotropy,
    )
    return replace(drawn, fall=float(generator.uniform(0.1, 0.6))) if drawn.window == "tukey" else drawn


def _through_plane(profile: str, generator: np.random.Generator) -> ThroughPlane:
    low, high = (0.8, 1.6) if profile == "raised_cosine" else (0.6, 1.3)
    return ThroughPlane(profile, thickness=float(generator.uniform(low, high)))


def _noise(is_ct: bool, generator: np.random.Generator) -> Noise:
    if generator.random() < WITHOUT_NOISE:
        return Noise()
    if not is_ct:
        return Noise("rician", _log_uniform(0.2, 5.0, generator))
    return Noise("coloured", _log_uniform(2.0, 40.0, generator), peak=_log_uniform(0.07, 0.3, generator))


def _blur(generator: np.random.Generator) -> float:
    return float(generator.uniform(0.0, LARGEST_BLUR)) if generator.random() < BLUR_SHARE else 0.0


def _log_uniform(low: float, high: float, generator: np.random.Generator) -> float:
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _choice(shares: dict[str, float], generator: np.random.Generator) -> str:
    names = list(shares)
    return names[int(generator.choice(len(names), p=list(shares.values())))]
