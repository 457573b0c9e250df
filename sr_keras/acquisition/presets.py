"""Acquisitions by name: what models are compared on, and what `--acquisition` takes."""

from pathlib import Path

from sr_keras.acquisition.description import Acquisition, InPlane, Noise, ThroughPlane, read_acquisition
from sr_keras.errors import UnknownConfigurationError

PRESETS: dict[str, Acquisition] = {
    "cubic": Acquisition(),
    "mri_k_space_1": Acquisition(in_plane=InPlane("k_space"), noise=Noise("rician", 1.0)),
    "mri_k_space_3": Acquisition(in_plane=InPlane("k_space"), noise=Noise("rician", 3.0)),
    "mri_hamming_1": Acquisition(in_plane=InPlane("k_space", window="hamming"), noise=Noise("rician", 1.0)),
    "ct_box_10": Acquisition(in_plane=InPlane("box"), noise=Noise("coloured", 10.0)),
    "ct_gaussian_20": Acquisition(in_plane=InPlane("gaussian"), noise=Noise("coloured", 20.0)),
    "mri_slice_gaussian_1": Acquisition(through_plane=ThroughPlane("gaussian"), noise=Noise("rician", 1.0)),
    "mri_slice_gap_2": Acquisition(through_plane=ThroughPlane("gaussian", 0.8), noise=Noise("rician", 2.0)),
    "mri_slice_box_1": Acquisition(through_plane=ThroughPlane("box"), noise=Noise("rician", 1.0)),
    "ct_slice_raised_cosine_10": Acquisition(
        through_plane=ThroughPlane("raised_cosine"), noise=Noise("coloured", 10.0)
    ),
    "ct_slice_gaussian_20": Acquisition(through_plane=ThroughPlane("gaussian"), noise=Noise("coloured", 20.0)),
}
# What a scan of each modality is reduced by in the tables, in-plane and through-plane.
IN_PLANE_CASES: dict[str, tuple[str, ...]] = {
    "MR": ("cubic", "mri_k_space_1", "mri_k_space_3", "mri_hamming_1"),
    "CT": ("cubic", "ct_box_10", "ct_gaussian_20"),
}
THROUGH_PLANE_CASES: dict[str, tuple[str, ...]] = {
    "MR": ("cubic", "mri_slice_gaussian_1", "mri_slice_gap_2", "mri_slice_box_1"),
    "CT": ("cubic", "ct_slice_raised_cosine_10", "ct_slice_gaussian_20"),
}


def acquisition_named(name: str) -> Acquisition:
    """Return a preset by its name, or what a YAML file describes.

    Raises:
        UnknownConfigurationError: there is no such preset or file.
        ConfigurationError: the file is wrong.
    """
    if name in PRESETS:
        return PRESETS[name]
    if Path(name).is_file():
        return read_acquisition(Path(name))
    raise UnknownConfigurationError(
        f"An acquisition must be a YAML file or one of {', '.join(sorted(PRESETS))}. Received: {name}."
    )
