"""Write the tables of the zoo from what ships and what was measured: in README.md, docs/models.md and docs/export.md.

    python benchmarks/zoo.py

In README.md and docs/export.md, what stands between the two comments <!-- zoo --> and <!-- /zoo --> is replaced.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any

from sr_keras.cli.export import verification_cells
from sr_keras.evaluation.model_cards import TASK_OF, card_text
from sr_keras.evaluation.tables import markdown, score_cell
from sr_keras.files import atomic_write, format_bytes
from sr_keras.models.stages import StageCard, TrainedStage, shipped_stages
from sr_keras.networks import STAGES

ROOT = Path(__file__).parents[1]
OPEN, CLOSE = "<!-- zoo -->", "<!-- /zoo -->"
REFERENCE = "georgescu2020"
FIGURES = ("slice_psnr", "slice_ssim")
Rows = list[dict[str, Any]]
MODELS_HEADING = """\
# The models that ship

Written by `python benchmarks/zoo.py` from the cards in `sr_keras/weights/`; `sr-keras models NAME` prints one of them.

For research only: this is no medical device, and a restored detail is a guess, not a finding.

The scans that figures are given for were not trained on, but the best epoch of each training was chosen on a few of
their slices. Their low-resolution versions are made by antialiased cubic reduction; real scanners blur in their own
ways, so expect less of them. A stage knows what it learned from, the scans in its card: nothing says how it does on
others. The weights are released under the licence of the package, Apache-2.0; what they were fitted to is
credited scan by scan."""


def documents() -> dict[Path, str]:
    """Return what each file should hold."""
    stages, (scores, latency, exports) = shipped_stages(), map(_results, ("scores", "latency", "exports"))
    readme, models, export = ROOT / "README.md", ROOT / "docs" / "models.md", ROOT / "docs" / "export.md"
    overview = "\n\n".join(
        [
            stage_table(stages.values(), scores, latency),
            "Whole volumes, reduced and restored along all three axes by both stages of a family:",
            volume_table(scores),
        ]
    )
    return {
        readme: replaced(readme.read_text(), overview),
        models: models_text(stages.values(), latency),
        export: replaced(export.read_text(), export_table(exports)),
    }


def stage_table(stages: Iterable[TrainedStage], scores: Rows, latency: dict[str, Any]) -> str:
    """Return a row for each stage: arithmetic, size, scores by scan, gains over Lanczos and the reference, latency."""
    scans = _scans(scores)
    headings = ("family", "stage", "scale", "MACs a pixel", "parameters", *scans, "over Lanczos")
    rows = []
    for stage in sorted(stages, key=_order):
        card = stage.card
        own = _of(card.scores, card.family)
        place = [row for row in scores if (row["task"], row["scale"]) == (TASK_OF[card.stage], card.scale)]
        rows.append(
            (
                card.family,
                card.stage,
                f"x{card.scale}",
                f"{card.macs:,}",
                f"{card.parameters:,}",
                *(_cell(own, scan) for scan in scans),
                difference(own, _of(card.scores, "lanczos")),
                difference(own, _of(place, REFERENCE)),
                *milliseconds(card, latency),
            )
        )
    return markdown((*headings, "over the reference", "ms a slice", "ratio"), rows)


def volume_table(scores: Rows) -> str:
    """Return a row for each scan and scale, enlarged along all axes: Lanczos and each family."""
    volumes = [row for row in scores if row["task"] == "3-D"]
    interpolations = ("nearest", "linear", "cubic")
    methods = [name for name in dict.fromkeys(row["method"] for row in volumes) if name not in interpolations]
    places = dict.fromkeys((row["scan"], row["scale"]) for row in volumes)
    rows = []
    for scan, scale in places:
        place = [row for row in volumes if (row["scan"], row["scale"]) == (scan, scale)]
        rows.append((Path(scan).name.split(".")[0], f"x{scale}", *(_cell(_of(place, name)) for name in methods)))
    return markdown(("scan", "scale", *methods), rows)


def models_text(stages: Iterable[TrainedStage], latency: dict[str, Any]) -> str:
    """Return the cards of all stages, with what was measured on one machine."""
    machine = latency["machine"]
    runtime = f"onnxruntime {machine['versions']['onnxruntime']}, {machine['processor']}, {machine['cores']} cores"
    size = f"{latency['height']}x{latency['width']}"
    cards = (
        card_text(stage, {f"a low-resolution slice of {size}": f"{milliseconds(stage.card, latency)[0]} ms, {runtime}"})
        for stage in stages
    )
    return "\n\n".join([MODELS_HEADING, *cards]) + "\n"


def export_table(exports: Rows) -> str:
    """Return a row for each exported file."""
    headings = (
        "model",
        "file",
        "size",
        "largest error",
        "PSNR to Keras",
        "PSNR to ground truth",
        "loss dB",
        "verification",
    )
    rows = (
        (
            row["model"],
            f"{row['format']} {row['precision']}",
            "-" if row["bytes"] is None else format_bytes(row["bytes"]),
            *verification_cells(row["verification"]),
            row["verification"]["status"],
        )
        for row in exports
    )
    return markdown(headings, rows)


def replaced(text: str, content: str) -> str:
    """Return a text with what stands between the two comments replaced."""
    before, _, rest = text.partition(OPEN)
    _, _, after = rest.partition(CLOSE)
    return f"{before}{OPEN}\n{content}\n{CLOSE}{after}"


def difference(own: Rows, others: Rows) -> str:
    """Return by how much the mean over scans of PSNR in dB / SSIM is better than another's."""
    if not (own and others) or own[0]["method"] == others[0]["method"]:
        return "-"
    psnr, ssim = (fmean(row[figure] for row in own) - fmean(row[figure] for row in others) for figure in FIGURES)
    return f"{psnr:+.2f} / {ssim:+.4f}"


def milliseconds(card: StageCard, latency: dict[str, Any]) -> tuple[str, str]:
    """Return the median time of a slice, and its ratio to that of the reference's stage of the same kind and scale."""
    medians = latency["medians_s"]
    own, reference = (medians.get(f"{family}_{card.stage}_x{card.scale}") for family in (card.family, REFERENCE))
    ratio = median(a / b for a, b in zip(own, reference, strict=True)) if own and reference else None
    return f"{1e3 * median(own):.1f}" if own else "-", "-" if ratio is None else f"{ratio:.2f}"


def _order(stage: TrainedStage) -> tuple[int, int, str]:
    return STAGES.index(stage.card.stage), stage.card.scale, stage.card.family


def _results(name: str) -> Any:
    return json.loads((ROOT / "benchmarks" / "results" / f"zoo_{name}.json").read_text())


def _scans(rows: Rows) -> list[str]:
    return list(dict.fromkeys(Path(row["scan"]).name.split(".")[0] for row in rows))


def _of(rows: Rows, method: str) -> Rows:
    return [row for row in rows if row["method"] == method]


def _cell(rows: Rows, scan: str = "") -> str:
    return next((score_cell(row) for row in rows if row["scan"].startswith(scan)), "-")


if __name__ == "__main__":
    for path, text in documents().items():
        with atomic_write(path) as temporary:
            temporary.write_text(text)
