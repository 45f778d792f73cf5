from __future__ import annotations

import numpy as np
import torch

from limpet.data.photometric import (
    PhotometricParams,
    apply_motion_blur,
    apply_photometric,
    change_colour,
    denormalise,
    gaussian_blur,
    normalise,
    random_colour,
    random_photometric,
)


def test_colour_change_equals_the_obvious_loop() -> None:
    images = torch.rand(2, 3, 4, 5)
    colour = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    changed = change_colour(images, colour)
    for t in range(2):
        for y in range(4):
            for x in range(5):
                expected = colour[t, :, :3] @ images[t, :, y, x].numpy() + colour[t, :, 3]
                assert np.allclose(changed[t, :, y, x].numpy(), expected, atol=1e-5)


def test_no_strength_is_no_change() -> None:
    assert np.allclose(random_colour(np.random.default_rng(0), 0.0), np.eye(4))


def test_colour_changes_seldom_clip_a_middle_grey() -> None:
    rng = np.random.default_rng(0)
    grey = np.array([0.5, 0.5, 0.5, 1.0])
    shown = np.array([random_colour(rng, 1.0)[:3] @ grey for _ in range(200)])
    assert (shown > 0.02).all() and (shown < 0.98).all() and shown.std() > 0.03


def test_gaussian_blur_touches_only_the_frames_asked_for() -> None:
    images = torch.zeros(2, 3, 15, 15)
    images[:, :, 7, 7] = 1.0
    before = images.clone()
    blurred = gaussian_blur(images, np.array([0.0, 1.0], np.float32))
    assert torch.equal(images, before) and torch.equal(blurred[0], before[0])
    assert torch.allclose(blurred[1].sum((1, 2)), torch.ones(3), atol=1e-5)
    ratio = blurred[1, 0, 7, 8] / blurred[1, 0, 7, 7]
    assert abs(float(ratio) - np.exp(-0.5)) < 1e-5
    assert torch.allclose(blurred[1, 0], blurred[1, 0].T)


def test_motion_blur_draws_a_point_out_along_its_way() -> None:
    images = torch.zeros(2, 1, 21, 21)
    images[:, :, 10, 10] = 1.0
    blurred = apply_motion_blur(images, np.array([[0.5, 0.0], [8.0, 0.0]], np.float32))
    assert torch.equal(blurred[0], images[0])
    line = blurred[1, 0, 10].nonzero().flatten()
    assert (int(line.min()), int(line.max())) == (6, 14)
    assert torch.allclose(blurred[1].sum(), torch.tensor(1.0))
    assert blurred[1, 0].sum(1).nonzero().flatten().tolist() == [10]


def test_normalise_takes_off_the_imagenet_mean() -> None:
    images = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).expand(2, 3, 2, 2)
    assert torch.allclose(normalise(images), torch.zeros(2, 3, 2, 2), atol=1e-6)
    one = normalise(torch.ones(1, 3, 1, 1))[0, 0, 0, 0]
    assert abs(float(one) - (1 - 0.485) / 0.229) < 1e-5
    images = torch.rand(2, 3, 4, 5)
    assert torch.allclose(denormalise(normalise(images)), images, atol=1e-6)


def test_it_is_repeatable_and_in_range() -> None:
    images = torch.rand(3, 3, 33, 33)
    params = random_photometric(np.random.default_rng(5), 3)
    params = PhotometricParams(params.colour, 0.8, np.array([0.0, 1.0, 0.0], np.float32), 0.05, 7)
    first, second = apply_photometric(images.clone(), params), apply_photometric(images.clone(), params)
    assert torch.equal(first, second)
    assert float(first.min()) >= 0.0 and float(first.max()) <= 1.0
    assert not torch.equal(
        first, apply_photometric(images.clone(), PhotometricParams(params.colour, 0.8, params.blur, 0.05, 8))
    )


def test_brightness_changes_over_a_clip_by_up_to_the_maximum() -> None:
    factors = []
    for seed in range(100):
        same, changed = (random_photometric(np.random.default_rng(seed), 4, most) for most in (1.0, 3.0))
        gain = changed.colour[:, 0] / same.colour[:, 0]  # (T, 4), the same for all colours
        assert np.allclose(gain, gain[:, :1], rtol=1e-4)
        factors.append(float(gain[:, 0].max() / gain[:, 0].min()))
    assert 2.5 < max(factors) <= 3.0 + 1e-4 and min(factors) < 1.2
