"""The thickness that a stage presumes, where the truth is known."""

import numpy as np
import pytest

from sr_keras.acquisition.profiles import average_axis
from sr_keras.adaptation.sampling import as_presumed
from sr_keras.adaptation.slices import take_slices
from sr_keras.adaptation.start import folded_for, start_of
from sr_keras.adaptation.thickness import SliceProfile, slice_profile
from sr_keras.models.stages import find_stage
from sr_keras.volumes.geometry import rescaled_affine
from sr_keras.volumes.volume import Volume


def presumed(truth, profile, thickness):
    voxels = average_axis(truth.voxels.astype(np.float32), 2, 2, profile, thickness)
    volume = Volume(voxels, rescaled_affine(truth.affine, (1, 1, 2)), "MR")
    scan = take_slices(volume, 2, 2)
    start = start_of(folded_for(find_stage("fast_d_x2"), volume, 2, 1.0), 2)
    return as_presumed(scan, slice_profile(scan, None), start, 1.0, 0).thickness


# A box is as sharp as a Gaussian of 0.68 times its width.
@pytest.mark.parametrize(("profile", "thickness", "width"), [("gaussian", 1.0, 1.0), ("box", 1.0, 0.68)])
def test_the_shipped_stage_sees_how_thick_slices_are(sample, profile, thickness, width):
    assert presumed(sample, profile, thickness) == pytest.approx(width, rel=0.25)


def test_what_is_known_is_not_changed(thick):
    start = start_of(folded_for(find_stage("fast_d_x2"), thick, 2, 1.0), 2)
    known = SliceProfile("slr", 0.9, "as given")
    assert as_presumed(take_slices(thick, 2, 2), known, start, 1.0, 0) is known
