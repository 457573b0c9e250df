"""A result of the small scan."""

import pytest
from results import doubled


@pytest.fixture(scope="session")
def small_result(small_scan, tmp_path_factory):
    """A file with 96x80x48 voxels, and its sidecar."""
    return doubled(small_scan, tmp_path_factory.mktemp("results") / "result.nii.gz")
