"""What stands on the page of a result: its parts in HTML, and the data of the viewer."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import version

from sr_keras.inference.provenance import SOFTWARE
from sr_keras.report.charts import spectrum_chart
from sr_keras.report.layers import Layers
from sr_keras.report.page import bullets, data_block, definitions, filled, policy, table, text_of
from sr_keras.report.places import Place, largest_places
from sr_keras.report.sharpness import Sharpness
from sr_keras.report.viewer import VERSION, compressed_viewer, licence, viewer_source

# Windows of CT by their usual names: level and width in HU.
WINDOWS = (
    ("Soft tissue", 40, 400),
    ("Brain", 40, 80),
    ("Lung", -600, 1500),
    ("Bone", 400, 1800),
    ("All", 520, 3088),
)


@dataclass(frozen=True)
class Shown:
    """What is known of a scan and its result.

    Attributes:
        layers: the volumes in the viewer.
        scan: shape, spacing and modality of the scan.
        result: the same of the result.
        axes: each axis of the scan in words, and how sharp scan and result are along it.
        identity: whose scan it is, in rows of a title and a text; empty unless that was asked for.
    """

    layers: Layers
    scan: str
    result: str
    axes: Sequence[tuple[str, Sharpness, Sharpness]]
    identity: Sequence[tuple[str, str]]

    @property
    def is_ct(self) -> bool:
        """Whether values are in HU."""
        return self.scan.endswith("CT")

    @property
    def unit(self) -> str:
        """Of values, with the space before it."""
        return "\u00a0HU" if self.is_ct else ""


def report_text(shown: Shown, rows: Sequence[tuple[str, str]], warnings: Sequence[str]) -> str:
    """Return the page of a result.

    Args:
        shown: scan and result.
        rows: what was done, titles and texts.
        warnings: about the result.
    """
    script, style = text_of("page.js"), text_of("page.css")
    layers = shown.layers
    places = largest_places(layers.maps["uncertainty"]) if "uncertainty" in layers.maps else []
    parts = {
        "policy": policy([script], [viewer_source()], [style]),
        "title": "Super-resolution report",
        "style": style,
        "summary": escape(f"{shown.scan} became {shown.result}."),
        "warnings": bullets(warnings, "warnings"),
        "extent": escape(_extent(layers)),
        "places": _places(places, shown.unit),
        "record": definitions([*shown.identity, *rows]),
        "sharpness": _sharpness(shown),
        "charts": "".join(
            f"<figure><figcaption>{escape(title.capitalize())}</figcaption>{spectrum_chart(title, *pair)}</figure>"
            for title, *pair in shown.axes
        ),
        "version": escape(version(SOFTWARE)),
        "niivue": VERSION,
        "licence": escape(licence()),
        "data": _data(shown, places),
        "script": script,
    }
    return filled(text_of("page.html"), parts)


def _extent(layers: Layers) -> str:
    size = " x ".join(f"{side:.0f}" for side in layers.size)
    kept = (
        f"The viewer holds the box around the tissue, {size} mm"
        if layers.share >= 1.0
        else f"To keep this page small, the viewer holds {size} mm about the middle of the tissue, "
        f"{100 * layers.share:.0f} % of the box around it"
    )
    maps = "; the uncertainty is a mean over two voxels along finer axes" if "uncertainty" in layers.maps else ""
    return f"{kept}, in 256 grey values{maps}. The figures below are of the whole scan with all its values."


def _places(places: Sequence[Place], unit: str) -> str:
    if not places:
        return ""
    buttons = "".join(
        f'<li><button type="button">{number}. {_where(place.point)}, \u00b1{place.value:.3g}{unit}</button></li>'
        for number, place in enumerate(places, 1)
    )
    return (
        '<section aria-labelledby="places-title"><h2 id="places-title">Where the uncertainty is largest</h2>'
        f'<p class="hint">Within the viewer, at least 10 mm apart.</p><ol class="places">{buttons}</ol></section>'
    )


def _where(point: tuple[float, float, float]) -> str:
    """Return a point by the directions of the patient, "R 12, A 3, I 40 mm"."""
    directions = ("RL", "AP", "SI")
    parts = [f"{letters[value < 0]} {abs(value):.0f}" for letters, value in zip(directions, point, strict=True)]
    return f"{', '.join(parts)} mm"


def _sharpness(shown: Shown) -> str:
    rows = [
        (title.capitalize(), *(f"{each.spacing:.3g}" for each in pair), *(f"{each.edge_width:.2f}" for each in pair))
        for title, *pair in shown.axes
    ]
    headings = ("Axis", "Spacing before", "after", "Edge width before", "after")
    return table(headings, rows, "All in mm")


def _data(shown: Shown, places: Sequence[Place]) -> str:
    layers = shown.layers
    facts = {
        "layers": {
            name: {"header": each.header, "shape": each.shape, "values": each.values, "range": each.range}
            for name, each in layers.layers.items()
        },
        "unit": shown.unit,
        "windows": WINDOWS if shown.is_ct else (),
        "centre": layers.centre,
        "step": layers.step,
        "places": [place.point for place in places],
    }
    volumes = [
        f'<script type="text/plain" id="volume-{name}">{each.codes}</script>' for name, each in layers.layers.items()
    ]
    viewer = f'<script type="text/plain" id="niivue">{base64.b64encode(compressed_viewer()).decode()}</script>'
    return "\n".join([data_block("facts", facts), *volumes, viewer])
