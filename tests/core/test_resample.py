from __future__ import annotations

import math

import torch

from aiga.resample import bilinear, turned

IMAGES = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0))
X, Y = torch.arange(7.0), torch.arange(5.0)[:, None]


def test_pictures_read_where_their_pixels_are_stay_as_they_are() -> None:
    assert torch.equal(bilinear(IMAGES, X, Y), IMAGES)


def test_what_comes_from_off_the_canvas_is_nothing() -> None:
    right = bilinear(IMAGES, X - 2.0, Y)
    assert torch.equal(right[..., 2:], IMAGES[..., :-2])
    assert not bool(right[..., :2].any())


def test_between_two_pixels_is_their_mean() -> None:
    between = bilinear(IMAGES, X + 0.5, Y)
    assert torch.allclose(between[..., :-1], (IMAGES[..., 1:] + IMAGES[..., :-1]) / 2)


def test_every_picture_may_be_read_elsewhere() -> None:
    down = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1)
    moved = bilinear(IMAGES, X, Y + down)
    assert torch.equal(moved[0], IMAGES[0])
    assert torch.equal(moved[1, :, :-1], IMAGES[1, :, 1:])


def test_a_turn_is_on_the_circle_and_near_its_angle() -> None:
    angle = torch.linspace(-1.0, 1.0, 41, dtype=torch.float64)
    cosine, sine = turned(angle)
    assert torch.allclose(cosine**2 + sine**2, torch.ones(41, dtype=torch.float64))
    assert bool(((torch.atan2(sine, cosine) - angle).abs() <= 0.02 * angle.abs() + 1e-12).all())
    assert math.isclose(float(turned(torch.tensor(0.0))[0]), 1.0)
