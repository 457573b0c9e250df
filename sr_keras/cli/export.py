"""`sr-keras export`: write a trained stage as a model file of another runtime."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sr_keras.cli.options import Parsed, force_option, load_slices, scan_option
from sr_keras.cli.predict_options import expected_acquisition_options

if TYPE_CHECKING:
    from sr_keras.engines.formats import FormatName, Precision
    from sr_keras.engines.manifest import Manifest
    from sr_keras.export.request import Shape


@click.command()
@click.argument("model")
@click.option(
    "--format",
    "formats",
    required=True,
    type=Parsed("list", "sr_keras.engines.formats", "parse_formats"),
    metavar="LIST",
    help="Any of saved_model,onnx,litert,openvino,ncnn,tensorrt,tensorrt-rtx.",
)
@click.option(
    "--precision",
    "precisions",
    type=Parsed("list", "sr_keras.engines.formats", "parse_precisions"),
    default="fp32",
    show_default=True,
    metavar="LIST",
    help="Any of fp32,fp16,int8.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder for the files; created if it does not exist.",
)
@click.option(
    "--shape",
    type=Parsed("shape", "sr_keras.export.request", "parse_shape"),
    metavar="NxHxW",
    help="Fix batch, height and width of the input; ? keeps one dynamic.  [default: ?x?x?]",
)
@click.option(
    "--intermediate", is_flag=True, help="Also export the output of the upscaling layer (the intermediate image)."
)
@click.option(
    "--compute-capability",
    "capabilities",
    multiple=True,
    metavar="SM89",
    help="GPU architecture to build a tensorrt-rtx engine for; may be repeated.  [default: all]",
)
@click.option(
    "--workspace",
    type=click.IntRange(1),
    default=1024,
    show_default=True,
    metavar="MB",
    help="Workspace of TensorRT while it builds.",
)
@expected_acquisition_options
@scan_option
@force_option
def export(
    model: str,
    formats: "list[FormatName]",
    precisions: "list[Precision]",
    output: Path,
    shape: "Shape | None",
    **options: Any,
) -> None:
    """Export MODEL to other formats, and verify each file numerically against Keras.

    MODEL is the name of a shipped model or the folder of a training run.

    \b
    sr-keras export georgescu2020_hw_x2 --format onnx,litert --precision fp32,fp16 -o out
    sr-keras export georgescu2020_hw_x2 --format tensorrt-rtx --compute-capability SM89 -o out
    """  # noqa: D301 (click's mark that keeps line breaks)
    from sr_keras.engines.keras_engine import KerasEngine
    from sr_keras.export import Request, check_request, export_stage
    from sr_keras.export.presumed import stage_for
    from sr_keras.files import made_folder
    from sr_keras.framework import load_keras
    from sr_keras.models.stages import find_stage

    stage = stage_for(find_stage(model), options["noise"], options["acquisition"])
    requests = [
        (
            kind,
            Request(
                stage,
                precision,
                load_slices(options["scan"]),
                shape or (None, None, None),
                options["intermediate"],
                options["capabilities"] if kind == "tensorrt-rtx" or "tensorrt-rtx" not in formats else (),
                options["workspace"] << 20,
            ),
        )
        for kind in formats
        for precision in precisions
    ]
    load_keras()
    force = options["force"]
    with made_folder(output):
        for kind, request in requests:
            check_request(request, kind, output, force=force)
        reference = KerasEngine(stage)
        print_exports(
            [export_stage(request, kind, output, reference=reference, force=force) for kind, request in requests]
        )


def print_exports(rows: "list[tuple[Path, Manifest]]") -> None:
    """Print a row for each exported file: format, size, and its error against Keras and the ground truth."""
    from rich.box import MARKDOWN
    from rich.console import Console
    from rich.table import Table

    from sr_keras.engines.manifest import files_of
    from sr_keras.resources import format_bytes

    table = Table("file", "format", "precision", box=MARKDOWN)
    for heading in ("size", "largest error", "PSNR to Keras", "PSNR to ground truth", "loss dB"):
        table.add_column(heading, justify="right")
    table.add_column("verification")
    for path, manifest in rows:
        size = format_bytes(sum((path.parent / name).stat().st_size for name in files_of(path)))
        verification = manifest.verification
        table.add_row(
            path.name,
            manifest.format,
            manifest.precision,
            size,
            *verification_cells(verification),
            verification["status"],
        )
    console = Console(width=150)
    console.print(table)
    for reason in dict.fromkeys(manifest.verification["reason"] for _, manifest in rows):
        if reason:
            console.print(f"not verified: {reason}", highlight=False)


def verification_cells(verification: "dict[str, Any]") -> list[str]:
    """Return the table cells of a numerical verification: largest error, both PSNRs, and the loss of PSNR."""
    if verification.get("largest_error") is None:
        return ["-"] * 4
    to_reference = verification["psnr_to_reference"]
    return [
        f"{verification['largest_error']:.1e}",
        "equal" if to_reference is None else f"{to_reference:.1f}",
        f"{verification['psnr_to_ground_truth']:.2f}",
        f"{verification['psnr_loss']:.4f}",
    ]
