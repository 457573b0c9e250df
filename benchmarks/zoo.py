"""Write the tables of the shipped models into README.md, docs/models.md and docs/export.md.

    python benchmarks/zoo.py

The tables come from the model cards and from benchmarks/results/zoo_*.json. In README.md and docs/export.md, the text
between the comments <!-- zoo --> and <!-- /zoo --> is replaced. docs/models.md is written as a whole.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any

from sr_keras.cli.export import verification_cells
from sr_keras.evaluation.model_cards import TASK_OF, card_text
from sr_keras.evaluation.tables import markdown, score_cell
from sr_keras.files import atomic_write
from sr_keras.models.cards import StageCard
from sr_keras.models.stages import TrainedStage, shipped_stages
from sr_keras.networks import STAGES
from sr_keras.resources import format_bytes

ROOT = Path(__file__).parents[1]
OPEN, CLOSE = "<!-- zoo -->", "<!-- /zoo -->"
REFERENCE = "georgescu2020"
FIGURES = ("slice_psnr", "slice_ssim")
# The columns of the table of volumes.
METHODS = ("lanczos", REFERENCE, "fast", "best")
# The validation scans: what each shows, and its source.
SCANS = {
    "chest_cta_1p5mm_d": ("chest CT angiography", "TotalSegmentator 2.18.0"),
    "head_1p5mm_e": ("head CT", "Debian invesalius-examples"),
    "t1w_siemens_0p9mm_f": ("T1w brain MRI, 0.9 mm", "pydeface 2.1.0; OpenfMRI ds000031"),
    "t1w_siemens_1mm_g": ("T1w brain MRI, 1 mm", "FNNDSC/data"),
}
Rows = list[dict[str, Any]]
# The acquisitions of the README's table, and the setting of the noise dial that is the default.
ACQUIRED, KEPT = ROOT / "benchmarks" / "results" / "acquisitions_x2.json", "1.0"
FAMILIES = (REFERENCE, "best", "fast")
CASES = {
    "mri_k_space_1": "MRI, part of k-space, 1 % noise",
    "mri_k_space_3": "MRI, part of k-space, 3 % noise",
    "mri_hamming_1": "MRI, Hamming window, 1 % noise",
    "ct_box_10": "CT, sharp kernel (box), 10 HU of noise",
    "ct_gaussian_20": "CT, soft kernel (Gaussian), 20 HU of noise",
    "mri_slice_gaussian_1": "MRI, Gaussian slice profile, 1 % noise",
    "mri_slice_gap_2": "MRI, slices with gaps, 2 % noise",
    "mri_slice_box_1": "MRI, box slice profile, 1 % noise",
    "ct_slice_raised_cosine_10": "CT, helical (raised cosine), 10 HU of noise",
    "ct_slice_gaussian_20": "CT, Gaussian slice profile, 20 HU of noise",
    "cubic": "antialiased cubic downsampling, as in papers",
}
VOLUMES = """\
Whole volumes, downsampled by antialiased cubic interpolation along all three axes: PSNR in dB / SSIM."""
MODELS_HEADING = """\
# Shipped models

`python benchmarks/zoo.py` writes this document from the model cards in `sr_keras/weights/` and from the results in
`benchmarks/results/`. `sr-keras models NAME` prints the card of one model.

For research only: sr_keras is not a medical device, and detail that a network adds is an estimate, not a finding.

- No network was trained on the validation scans below. The best epoch of a training was chosen on a few of their
  slices, where its card says so.
- The low-resolution versions of the validation scans were made by antialiased cubic downsampling. Real scanners blur in
  other ways, so expect smaller gains on real scans.
- The scores say nothing about other anatomy, contrasts or scanners.
- The weights are released under the licence of the package, Apache-2.0. Each card credits its training scans."""
OVERVIEW = """\
## Overview

The table shows PSNR in dB / SSIM on the validation scans, as means over the slices with tissue. The gains are means
over these scans. The hw stage upsamples height and width, and is scored in-plane. The d stage upsamples depth, and is
scored through-plane. MACs are per low-resolution pixel. The time is the median for one low-resolution slice of {size}
({runtime}). The ratio compares it with georgescu2020 in the same run."""


def documents() -> dict[Path, str]:
    """Return what each file should hold."""
    stages, (scores, latency, exports) = shipped_stages(), map(_results, ("scores", "latency", "exports"))
    acquired = json.loads(ACQUIRED.read_text())
    readme, models, export = ROOT / "README.md", ROOT / "docs" / "models.md", ROOT / "docs" / "export.md"
    return {
        readme: replaced(readme.read_text(), acquired_table(acquired)),
        models: models_text(stages.values(), scores, latency),
        export: replaced(export.read_text(), export_table(exports)),
    }


def stage_table(stages: Iterable[TrainedStage], scores: Rows, latency: dict[str, Any]) -> str:
    """Return a row for each stage: MACs, parameters, scores by scan, gains over Lanczos and the reference, latency."""
    scans = _scans(scores)
    headings = ("family", "stage", "scale", "MACs", "parameters", *scans, "over Lanczos")
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
    return markdown((*headings, f"over {REFERENCE}", "ms per slice", "ratio"), rows)


def acquired_table(acquired: dict[str, Any]) -> str:
    """Return the README's table: gains over the better of cubic and Lanczos, a row for each acquisition, at x2.

    Args:
        acquired: what benchmarks/acquisitions.py wrote for the families.
    """
    rows = []
    for in_plane, axes in ((True, "in-plane"), (False, "through-plane")):
        chosen = [row for row in acquired["gains"].values() if row["in_plane"] == in_plane]
        cases = [case for case in CASES if case in {row["case"] for row in chosen}]
        groups = {CASES[case]: [row for row in chosen if row["case"] == case] for case in cases}
        scanners = [row for row in chosen if row["case"] != "cubic"]
        means = {f"**{title}**": rows for title, rows in (("mean of all scanners", scanners),)}
        for title, group in (groups | means).items():
            gains = [fmean(row["gains"][name][KEPT] for row in group) for name in FAMILIES]
            worst = [min(row["gains"][name][KEPT] for row in group) for name in FAMILIES]
            rows.append(
                (title, axes, *(f"{gain:+.1f} ({least:+.1f})" for gain, least in zip(gains, worst, strict=True)))
            )
    return markdown(("low-resolution scan", "upsampled", *FAMILIES), rows)


def results_table(scores: Rows, latency: dict[str, Any]) -> str:
    """Return a row of 3-D scores for each scan and scale, and a row of times for each scale."""
    volumes = [row for row in scores if row["task"] == "3-D"]
    medians = latency["medians_s"]
    rows = []
    for scale in dict.fromkeys(row["scale"] for row in volumes):
        for scan in _scans(volumes):
            place = [row for row in volumes if row["scale"] == scale and row["scan"].startswith(scan)]
            rows.append((SCANS[scan][0], f"x{scale}", *(_cell(_of(place, name)) for name in METHODS)))
        times = (medians.get(f"{name}_hw_x{scale}") for name in METHODS)
        rows.append((f"time per {_size(latency)} slice", f"x{scale}", *(_time_cell(each) for each in times)))
    return markdown(("scan", "scale", *METHODS), rows)


def models_text(stages: Iterable[TrainedStage], scores: Rows, latency: dict[str, Any]) -> str:
    """Return docs/models.md: an overview and the cards of all stages."""
    stages, size, runtime = list(stages), _size(latency), _runtime(latency)
    cards = (
        card_text(stage, {f"a low-resolution slice of {size}": f"{milliseconds(stage.card, latency)[0]} ms, {runtime}"})
        for stage in stages
    )
    overview = [
        OVERVIEW.format(size=size, runtime=runtime),
        stage_table(stages, scores, latency),
        VOLUMES,
        results_table(scores, latency),
    ]
    scans = markdown(("validation scan", "content", "source"), [(name, *what) for name, what in SCANS.items()])
    return "\n\n".join([MODELS_HEADING, *overview, "The validation scans:", scans, *cards]) + "\n"


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


def _size(latency: dict[str, Any]) -> str:
    return f"{latency['height']}x{latency['width']}"


def _runtime(latency: dict[str, Any]) -> str:
    machine = latency["machine"]
    return f"onnxruntime {machine['versions']['onnxruntime']}, {machine['processor']}, {machine['cores']} cores"


def _time_cell(seconds: list[float] | None) -> str:
    return f"{1e3 * median(seconds):.1f} ms" if seconds else "-"


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
