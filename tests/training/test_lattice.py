import numpy as np
import pytest

from sr_keras.training.lattice import POINTWISE, lattice_penalty, loss_with_lattice

IMAGES = np.random.default_rng(0).random((4, 32, 32, 1), np.float32) * 0.01


def test_images_that_are_alike_everywhere_have_no_lattice():
    assert float(lattice_penalty(IMAGES, (2, 2))) < 0.01


@pytest.mark.parametrize("factors", [(2, 2), (1, 2), (1, 4)])
def test_a_lattice_costs(factors):
    height, width = factors
    images = IMAGES.copy()
    images[:, ::height, ::width] *= 4.0
    assert float(lattice_penalty(images, factors)) > 3 * float(lattice_penalty(IMAGES, factors))


@pytest.mark.parametrize("name", POINTWISE)
def test_the_penalty_is_added_to_the_loss(name):
    ground_truth = np.zeros_like(IMAGES)
    plain, weighted = (float(loss_with_lattice(name, weight, (2, 2))(ground_truth, IMAGES)) for weight in (1e-9, 2.0))
    assert weighted - plain == pytest.approx(2.0 * float(lattice_penalty(IMAGES, (2, 2))), rel=1e-3)


def test_without_a_weight_a_loss_is_what_it_was():
    assert loss_with_lattice("l1", 0.0, (2, 2)) == "mean_absolute_error"
