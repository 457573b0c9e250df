import numpy as np

from sr_keras.training.phantoms import SIZE, phantoms


def test_phantoms_are_images_with_air_around_a_body():
    images = phantoms(4, np.random.default_rng(0))
    assert images.shape == (4, SIZE, SIZE)
    assert images.dtype == np.float32
    assert images.min() >= 0.0
    assert images.max() <= 1.0
    # A large rectangle reaches into a corner now and then.
    assert (images[:, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).mean() > 0.7
    assert (images > 0.05).mean() > 0.2


def test_the_same_seed_gives_the_same_phantoms():
    first, second = (phantoms(2, np.random.default_rng(1)) for _ in range(2))
    assert (first == second).all()
