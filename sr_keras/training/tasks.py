"""What a run trains on: batches, validation images and the network, for patches or for slices as scanners make them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sr_keras.networks import build_network
from sr_keras.networks.conditional import build_conditional, build_folded, conditional_chain
from sr_keras.networks.conditional_layers import MEMBERS
from sr_keras.networks.folding import KEPT_NOISE
from sr_keras.training.acquired_batches import GroupWindow, acquired_batches, description_length
from sr_keras.training.acquired_slices import DenoisedScan, load_denoised_scan
from sr_keras.training.acquired_validation import acquired_validation_images
from sr_keras.training.configuration import Configuration
from sr_keras.training.dataset import check_validation_scan, training_batches, validation_images
from sr_keras.training.patches import Scan, check_patches, load_scan


@dataclass(frozen=True)
class Task:
    """What a run trains on.

    Attributes:
        build: returns the untrained network.
        batches: takes the first step and returns the training batches from there.
        validation: takes the number of replicas and returns validation batches.
        modalities: of the training scans, sorted.
        description: returns that of a scan in the middle of the mixture, nothing where the network is not conditional.
        plain: takes the network and returns what a conditional one becomes for one scan; itself where it is none.
        resume: takes the network and the steps it has seen, and restores what its weights do not hold.
        close: ends what works beside the training.
    """

    build: Callable[[], Any]
    batches: Callable[[int], Any]
    validation: Callable[[int], Any]
    modalities: list[str]
    description: Callable[[], list[float]]
    plain: Callable[[Any], Any]
    resume: Callable[[Any, int], None]
    close: Callable[[], None]


def load_task(configuration: Configuration, training: list[Path], validation: list[Path], cache: Path) -> Task:
    """Read and check the scans of a run.

    Args:
        configuration: what to train and how.
        training: NIfTI files to learn from.
        validation: NIfTI files to choose the best epoch by.
        cache: folder of the normalised scans.

    Raises:
        ConfigurationError: a scan is too small for the patches or has no tissue.
        VolumeError: a scan cannot be used.
    """
    if configuration.acquisition.mixture == "none":
        scans = [load_scan(path, cache) for path in training]
        references = [load_scan(path, cache) for path in validation]
        _check(scans, references, configuration)
        return _patch_task(configuration, scans, references)
    width = configuration.patches.width
    loaded = [load_denoised_scan(path, cache) for path in training]
    # The through-plane axis of a scan with few slices holds no patch.
    denoised = [replace(each, thin=each.thin and len(each.scan.voxels) >= width) for each in loaded]
    validated = [load_denoised_scan(path, cache) for path in validation]
    _check([each.scan for each in denoised], [each.scan for each in validated], configuration)
    return _acquired_task(configuration, denoised, validated)


def _check(scans: list[Scan], references: list[Scan], configuration: Configuration) -> None:
    acquired = configuration.acquisition.mixture != "none"
    for scan in scans:
        check_patches(scan, configuration, in_plane=acquired)
    for scan in references:
        check_validation_scan(scan, configuration.network.stage, configuration.network.scale)


def _patch_task(configuration: Configuration, scans: list[Scan], references: list[Scan]) -> Task:
    network, slices = configuration.network, configuration.training.validation_slices
    return Task(
        lambda: build_network(network.family, network.stage, network.scale, configuration.training.precision),
        lambda first_step: training_batches(scans, configuration, first_step),
        lambda copies: validation_images(references, network.stage, network.scale, slices, copies=copies),
        sorted({scan.modality for scan in scans}),
        list,
        lambda model: model,
        lambda _, __: None,
        lambda: None,
    )


def _acquired_task(configuration: Configuration, scans: list[DenoisedScan], references: list[DenoisedScan]) -> Task:
    network, slices = configuration.network, configuration.training.validation_slices
    window = GroupWindow(scans, configuration)
    # Taken when the network is built: a check of the scans needs none.
    members = cache(lambda: window.fingerprints(MEMBERS))
    widths, skip = conditional_chain(network.family, network.stage, network.scale)

    def build() -> Any:
        return build_conditional(
            network.stage,
            network.scale,
            configuration.training.precision,
            widths=widths,
            skip=skip,
            length=description_length(network.stage),
            bases=configuration.acquisition.bases,
            groups=configuration.acquisition.groups,
            members=None if configuration.training.start else members(),
        )

    return Task(
        build,
        lambda first_step: acquired_batches(window, configuration, first_step),
        # Of one image: a conditional network trains on one device.
        lambda _: acquired_validation_images(references, network.stage, network.scale, slices),
        sorted({scan.scan.modality for scan in scans}),
        lambda: [*map(float, members().mean(axis=0)), KEPT_NOISE],
        lambda _: build_folded(network.stage, network.scale, widths=widths, skip=skip),
        lambda model, step: model.get_layer("standard").go_on_from(step),
        window.close,
    )
