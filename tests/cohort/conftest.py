import pytest
from cohorts import write_bids

from sr_keras.cohort.recipe import Recipe


@pytest.fixture(scope="session")
def recipe():
    return Recipe(("fast_d_x2", "fast_hw_x2"))


@pytest.fixture(scope="session")
def job(recipe):
    return recipe.job()


@pytest.fixture
def data(tmp_path):
    """A BIDS data set of four scans."""
    return write_bids(tmp_path / "data")
