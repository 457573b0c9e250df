"""Options of `predict` in groups: the grid of the result, segmentations, and how the command behaves in a shell."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sr_keras.cli.options import Parsed

if TYPE_CHECKING:
    from sr_keras.inference.labels import LabelPair

SCALE = Parsed("scale", "sr_keras.inference.output_grid", "parse_scale")
NOISE = Parsed("noise", "sr_keras.inference.conditions", "parse_noise")
SPACING = Parsed("spacing", "sr_keras.inference.output_grid", "parse_spacing")
FILE = click.Path(path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


def _group(*options: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Return a decorator that adds options in their order."""

    def add(command: Command) -> Command:
        return reduce(lambda decorated, option: option(decorated), reversed(options), command)

    return add


choice_options = _group(
    click.option("--series", metavar="NUMBER|UID", help="Series to read from a DICOM folder that holds several."),
    click.option(
        "--frame-group", type=int, metavar="N", help="Time point or echo to read from a DICOM series, counted from 1."
    ),
)
factor_options = _group(
    click.option(
        "--scale",
        type=SCALE,
        metavar="N|NxNxN",
        help="Factor from 1 to 8 for all axes, or one per axis of the file.  [default: 2]",
    ),
    click.option("--spacing", type=SPACING, metavar="MM|MMxMMxMM", help="Output spacing in mm, instead of a factor."),
)
grid_options = _group(
    factor_options,
    click.option("--isotropic", is_flag=True, help="Make all spacings the finest one of SCAN, instead of a factor."),
    click.option("--like", type=FILE, metavar="OTHER", help="Put the result onto the grid of this image instead."),
)
NOISE_OPTION = click.option(
    "--noise",
    type=NOISE,
    metavar="keep|reduce|0..1",
    default="keep",
    show_default=True,
    help="How much of the noise of the scan the result keeps: reduce is 0.5.",
)


def _acquisition_option(text: str) -> Callable[[Any], Any]:
    return click.option("--acquisition", metavar="auto|NAME|FILE", default="auto", show_default=True, help=text)


acquisition_options = _group(
    NOISE_OPTION,
    _acquisition_option("Assume that SCAN was acquired in this way, a preset or a YAML file, instead of measuring it."),
)
expected_acquisition_options = _group(
    NOISE_OPTION,
    _acquisition_option(
        "The scans that the file is for: a preset or a YAML file; auto is the middle of the training mixture."
    ),
)
map_options = _group(
    click.option(
        "--uncertainty",
        type=FILE,
        metavar="FILE",
        help="Also write a NIfTI file with how far each voxel may be off: half of a 90 % interval.",
    ),
    click.option(
        "--residual",
        type=FILE,
        metavar="FILE",
        help="Also write a NIfTI file with SCAN minus the result downsampled to its grid.",
    ),
    click.option(
        "--report",
        type=FILE,
        metavar="FILE.html",
        help="Also write a page that shows SCAN, the result and these maps, without any names.",
    ),
)
method_options = _group(
    click.option(
        "--self-ensemble",
        type=click.Choice(["none", "mean", "median"]),
        default="none",
        show_default=True,
        help="Combine the outputs of rotated and mirrored slices: 8 (hw) and 4 (d) times the runs of the network.",
    ),
    click.option(
        "--data-consistency",
        is_flag=True,
        help="Correct the result so that, downsampled again, it matches SCAN (back-projection).",
    ),
)
label_options = _group(
    click.option(
        "--labels",
        type=(FILE, FILE),
        multiple=True,
        metavar="SEG OUT",
        help="Resample the segmentation SEG of SCAN onto the grid of the result; may be repeated.",
    ),
    click.option(
        "--label-interpolation",
        type=click.Choice(["majority", "nearest"]),
        default="majority",
        show_default=True,
        help="The label with the largest share of a voxel, or that of the nearest voxel.",
    ),
)
shell_options = _group(
    click.option(
        "--engine",
        type=click.Choice(["onnx", "keras", "webgpu"]),
        help="Runtime of the shipped models; webgpu is any GPU, also for ONNX files.  [default: onnx, except where "
        "only Keras can use the GPU]",
    ),
    click.option("--threads", type=click.IntRange(min=1), metavar="N", help="CPU threads.  [default: all cores]"),
    click.option("--quiet", is_flag=True, help="Print errors only, and what --json prints."),
    click.option("--verbose", is_flag=True, help="Log models, engine, slice axis and spacing on stderr."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object for each scan on stdout."),
)


def label_pairs(pairs: tuple[tuple[Path, Path], ...]) -> "tuple[LabelPair, ...]":
    """Return the segmentations of the option --labels."""
    from sr_keras.inference.labels import LabelPair

    return tuple(LabelPair(*pair) for pair in pairs)
