import base64

import numpy as np
from results import structure_of

from sr_keras.evaluation.protocol import compare_methods, score
from sr_keras.evaluation.tables import score_rows
from sr_keras.report import comparison as module
from sr_keras.report.comparison import ComparisonPage
from sr_keras.volumes.volume import Volume


def compared(name):
    voxels = np.random.default_rng(0).integers(-1024, 300, (24, 24, 12)).astype(np.int16)
    comparison = compare_methods(Volume(voxels, np.diag([0.8, 0.8, 2, 1]), source=f"/data/{name}"), "in-plane", 2, {})
    return comparison, score(comparison)


def test_scores_and_figures_stand_on_a_page(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_FIGURES", 1)
    page, rows = ComparisonPage("Scans were downsampled by 2."), []
    for name in ("a<b>.nii.gz", "c.nii.gz"):
        comparison, scores = compared(name)
        page.add(comparison, scores)
        rows += score_rows(comparison, scores)
    page.write(rows, tmp_path / "page.html", ["d.nii.gz: <broken>"], force=False)
    text = (tmp_path / "page.html").read_text()
    (picture,) = structure_of(text).addresses
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")).startswith(b"\x89PNG")
    assert "/data" not in text
    assert text.count("a&lt;b&gt;.nii.gz, in-plane 2x2x1, axial slice k = ") == 2
    cubic = next(row for row in rows if row["method"] == "cubic")
    assert f"<td>{cubic['slice_psnr']:.2f} / {cubic['slice_ssim']:.4f}</td>" in text
    assert f"cubic {cubic['slice_psnr']:.2f} dB" in text
    assert "<li>d.nii.gz: &lt;broken&gt;</li><li>Pictures of 1 more comparisons are left out.</li>" in text
    assert "c.nii.gz: data_range" in text
