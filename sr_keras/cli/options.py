"""Options that several commands share, and the parsing of their values."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from sr_keras.errors import SrKerasError
from sr_keras.models.registry import DEFAULT_FAMILY
from sr_keras.networks import FAMILIES

if TYPE_CHECKING:
    from sr_keras.adaptation.adapting import Settings
    from sr_keras.engines import NamedEngine
    from sr_keras.engines.loading import Kind
    from sr_keras.export.reference_slices import ReferenceSlices
    from sr_keras.inference.adapter import Adapter
    from sr_keras.inference.self_ensemble import SelfEnsemble
    from sr_keras.inference.upscaler import Upscaler
    from sr_keras.volumes.volume import Modality


class Parsed(click.ParamType):  # type: ignore[type-arg]
    """A value that a function of the library parses; what it refuses is a usage error.

    Args:
        name: of the type, for the usage.
        module: that holds the function; imported when there is a value to parse.
        function: from text to value; raises `SrKerasError`.
    """

    def __init__(self, name: str, module: str, function: str) -> None:
        self.name, self._module, self._function = name, module, function

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the parsed value."""
        if not isinstance(value, str):
            return value
        try:
            return getattr(import_module(self._module), self._function)(value)
        except SrKerasError as error:
            self.fail(str(error), param, ctx)


model_option = click.option(
    "--model",
    "models",
    multiple=True,
    metavar="NAME|RUN|FILE",
    help="Shipped model, training run or exported file; may be repeated.  [default: the shipped models]",
)
quality_option = click.option(
    "--quality",
    type=click.Choice(FAMILIES),
    help=f"Family of networks; georgescu2020 is the published one.  [default: {DEFAULT_FAMILY}]",
)
modality_option = click.option(
    "--modality",
    type=click.Choice(["ct", "mr"], case_sensitive=False),
    help="Modality of the scan.  [default: from the DICOM header, else from the voxel values]",
)
slice_axis_option = click.option(
    "--slice-axis",
    type=click.IntRange(0, 2),
    metavar="0|1|2",
    help="Through-plane axis of the file.  [default: the one with the largest spacing, else 2]",
)
nan_fill_option = click.option(
    "--nan-fill",
    type=Parsed("number", "sr_keras.io.values", "parse_fill"),
    metavar="VALUE",
    help="Replace NaN and infinite voxels by VALUE.",
)
DTYPE = Parsed("type", "sr_keras.io.nifti", "parse_dtype")
SIZE = Parsed("size", "sr_keras.resources", "parse_bytes")
scan_option = click.option(
    "--scan",
    type=click.Path(path_type=Path),
    help="Scan that supplies int8 calibration and verification slices.  [default: shipped slices]",
)
adapt_steps_option = click.option(
    "--adapt-steps",
    type=click.IntRange(1, 100_000),
    metavar="N",
    help="Steps of training on the scan: time for quality.  [default: 200]",
)
slice_thickness_option = click.option(
    "--slice-thickness",
    type=click.FloatRange(0, min_open=True),
    metavar="MM",
    help="Thickness of the scan's slices in mm.  [default: from the header or sidecar, else estimated]",
)
force_option = click.option("--force", is_flag=True, help="Overwrite existing output.")


def to_modality(text: str | None) -> "Modality | None":
    """Return the modality of an option's value."""
    return cast("Modality", text.upper()) if text else None


def to_adapter(scans: Sequence[Path], options: dict[str, Any]) -> "Adapter | None":
    """Return what adapts stages to each scan, as options say; None without --adapt."""
    names = {"adapt_steps": "--adapt-steps", "slice_thickness": "--slice-thickness", "save_adapted": "--save-adapted"}
    if not options["adapt"]:
        for key, name in names.items():
            if options[key] is not None:
                raise click.UsageError(f"{name} is for --adapt; add that, or leave it out.")
        return None
    from sr_keras.adaptation.adapter import ScanAdapter
    from sr_keras.io.scans import is_scan_folder

    one = len(scans) == 1 and (not scans[0].is_dir() or is_scan_folder(scans[0]))
    if options["save_adapted"] and not one:
        raise click.UsageError("--save-adapted is for one scan; sr-keras adapt makes one stage for a folder of them.")
    return ScanAdapter(to_settings(options), options["save_adapted"], force=options["force"])


def to_settings(options: dict[str, Any]) -> "Settings":
    """Return how to adapt, as options say."""
    from sr_keras.adaptation.adapting import STEPS, Settings

    return Settings(options["adapt_steps"] or STEPS, options["slice_thickness"])


def load_slices(scan: Path | None) -> "ReferenceSlices":
    """Return slices of a scan, or the shipped ones."""
    from sr_keras.export.reference_slices import reference_slices_of, shipped_reference_slices
    from sr_keras.io.kinds import check_is_scan
    from sr_keras.io.nifti import read_volume

    if scan is None:
        return shipped_reference_slices()
    volume = read_volume(scan)
    check_is_scan(volume, scan, "choose another scan")
    return reference_slices_of(volume)


def load_upscaler(
    names: tuple[str, ...],
    quality: str | None,
    self_ensemble: "SelfEnsemble",
    engine: "Kind | None" = None,
    threads: int | None = None,
) -> "Upscaler":
    """Return the named models, else the shipped models of a family; None is the default family.

    Args:
        names: of models; empty takes those of the family.
        quality: the family.
        self_ensemble: whether slices also run rotated and mirrored.
        engine: runs shipped models; None chooses.
        threads: of the processor; None is all.
    """
    from sr_keras.engines import load_engine
    from sr_keras.inference.upscaler import Upscaler
    from sr_keras.models.registry import choose_stages
    from sr_keras.models.stages import shipped_stages

    if names and quality:
        raise click.UsageError("Give --model or --quality, not both.")
    if not names:
        names = tuple(choose_stages(shipped_stages(), quality or DEFAULT_FAMILY))
        return Upscaler([load_engine(name, engine, threads=threads) for name in names], self_ensemble)
    engines, *others = _groups(names, engine, threads)
    if others:
        raise click.UsageError("Give one --model for each stage and scale: two are for the same.")
    return Upscaler(engines, self_ensemble)


def load_upscalers(names: tuple[str, ...]) -> "dict[str, Upscaler]":
    """Return upscalers by their title in a table: of the named models, else of every shipped family.

    A second model of the same stage and scale starts another upscaler.
    """
    from sr_keras.engines import load_engine
    from sr_keras.inference.upscaler import Upscaler
    from sr_keras.models.registry import by_family
    from sr_keras.models.stages import shipped_stages

    if not names:
        families = by_family(shipped_stages())
        return {family: Upscaler([load_engine(name) for name in stages]) for family, stages in families.items()}
    groups = _groups(names)
    titled = {_title(engines, alone=len(groups) == 1): Upscaler(engines) for engines in groups}
    if len(titled) < len(groups):
        raise click.UsageError(f"Models to compare must have names of their own. Received: {', '.join(names)}.")
    return titled


def _groups(
    names: tuple[str, ...], kind: "Kind | None" = None, threads: int | None = None
) -> "list[list[NamedEngine]]":
    """Return the engines of named models in groups with one engine per stage and scale."""
    from sr_keras.engines import load_engine

    if len(set(names)) < len(names):
        raise click.UsageError(f"Give each --model once. Received: {', '.join(names)}.")
    groups: list[dict[tuple[str, int], NamedEngine]] = [{}]
    for engine in (load_engine(name, kind, threads=threads) for name in names):
        place = (engine.card.stage, engine.card.scale)
        if place in groups[-1]:
            groups.append({})
        groups[-1][place] = engine
    return [list(group.values()) for group in groups]


def _title(engines: "list[NamedEngine]", *, alone: bool) -> str:
    """Return the title of a group of engines: its families, or its model names if several groups are compared."""
    return "+".join(dict.fromkeys(engine.card.family if alone else engine.name for engine in engines))
