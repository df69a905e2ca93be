from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from aiga import Stream
from aiga_characters import store
from aiga_characters.drawn import _classes, alphabets, draw
from aiga_characters.nearest import pixel_neighbour
from aiga_characters.pen import inked
from aiga_characters.recipes import RECIPES, Recipe
from aiga_characters.sets import Characters, Source, drawn_set
from aiga_characters.shrink import shrunk
from aiga_characters.strokes import Strokes, characters, turned

# Every pixel of the two sets of seed 0: other bits are another set, and need another version.
HASHES = {
    "drawn": "1ac7360a3e5b3c1738a03cef8dd4f93cf6716854b02e068d2b649ce4b3f46b43",
    "drawn-easy": "1a6095d49ca0f157bfeabd5ebf3191642a62c2c0a3481de984a0c73a541a83e3",
}


@pytest.fixture(scope="module")
def drawn() -> Characters:
    return drawn_set("drawn", 0, 28)


@pytest.fixture(scope="module")
def easy() -> Characters:
    return drawn_set("drawn-easy", 0, 28)


def line(*points: tuple[float, float]) -> Strokes:
    """One stroke of three points at most."""
    placed = torch.tensor([*points, *[points[-1]] * (5 - len(points))], dtype=torch.float64)
    return Strokes(placed.expand(1, 4, 5, 2), torch.tensor([[len(points), 0, 0, 0]]))


def few(name: str, **changes: object) -> Recipe:
    return replace(RECIPES[name], **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", HASHES)
def test_the_sets_of_seed_0_are_the_same_on_every_machine(name: str) -> None:
    held = drawn_set(name, 0, 28)
    assert held.hash == HASHES[name]
    # What lies in the cache may be older than what draws it.
    assert torch.equal(draw(RECIPES[name], 0, 28), held.images)


def test_there_are_as_many_alphabets_classes_and_drawers_as_in_omniglot(drawn: Characters) -> None:
    assert drawn.images.shape == (1623, 20, 28, 28)
    assert drawn.images.dtype == torch.uint8
    assert drawn.background == 964
    assert len(drawn.names) == len(torch.unique(drawn.alphabet)) == 50
    assert torch.bincount(drawn.alphabet).min() >= 20


def test_no_class_and_no_alphabet_is_in_both_splits(drawn: Characters) -> None:
    background, evaluation = (list(drawn.classes(split)) for split in ("background", "evaluation"))
    assert sorted([*background, *evaluation]) == list(range(1623))
    assert not set(drawn.alphabet[background].tolist()) & set(drawn.alphabet[evaluation].tolist())


def test_raw_pixels_get_less_far_on_the_default_set_than_on_the_studys(drawn: Characters, easy: Characters) -> None:
    assert 0.15 < pixel_neighbour(drawn, Stream(1)) < 0.35
    assert 0.48 < pixel_neighbour(easy, Stream(1)) < 0.54


def test_the_pixel_neighbour_finds_what_can_be_found(drawn: Characters) -> None:
    same = replace(drawn, images=drawn.images[:, :1].expand(-1, 20, -1, -1))
    assert pixel_neighbour(same, Stream(1), episodes=2) > 0.99
    blank = replace(drawn, images=torch.zeros_like(drawn.images))
    assert pixel_neighbour(blank, Stream(1), episodes=2) == pytest.approx(0.05)
    with pytest.raises(ValueError, match="no alphabet has 100 classes"):
        pixel_neighbour(drawn, Stream(1), ways=100)


def test_another_seed_draws_other_alphabets_and_other_characters() -> None:
    assert not torch.equal(torch.cat(alphabets(0)), torch.cat(alphabets(1)))
    assert [int(sizes.sum()) for sizes in alphabets(1)] == [964, 659]
    recipe, sizes = few("drawn"), torch.tensor([20])
    one, other = (_classes(recipe, Stream(seed), sizes)[0].points for seed in (0, 1))
    assert not torch.equal(one, other)


def test_bits_do_not_hang_on_how_many_are_drawn_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiga_characters.drawn.alphabets", lambda seed: (torch.tensor([20]), torch.tensor([23])))
    few = draw(RECIPES["drawn"], 0, 28)
    monkeypatch.setattr("aiga_characters.drawn._CLASSES", 37)
    assert torch.equal(draw(RECIPES["drawn"], 0, 28), few)


def test_smaller_images_are_the_means_of_larger_ones() -> None:
    ink = Stream(1).integers(0, 2, 3, 105, 105).to(torch.uint8)
    assert torch.equal(shrunk(ink, 105), ink * 255)
    fifth = ink.reshape(3, 21, 5, 21, 5).double().mean(dim=(2, 4)) * 255.0
    assert torch.equal(shrunk(ink, 21), torch.floor(fifth + 0.5).to(torch.uint8))
    # 28 does not divide 105: the mean of all pixels stays what it was.
    assert shrunk(ink, 28).double().mean() == pytest.approx(float(ink.double().mean()) * 255.0, abs=0.5)


def test_the_pen_blackens_what_is_no_further_than_half_its_width() -> None:
    across = line((0.2, 0.5), (0.5, 0.5), (0.8, 0.5))
    (ink,) = inked(across, torch.tensor([0.05], dtype=torch.float64), 100)
    # Points run from 20 to 80; the middles of pixels 45 to 54 are no more than 5 from the line.
    assert torch.nonzero(ink[:, 50]).flatten().tolist() == list(range(45, 55))
    columns = torch.nonzero(ink.any(dim=0)).flatten()
    assert (int(columns[0]), int(columns[-1])) == (15, 84)


def test_ink_that_leaves_the_canvas_is_cut_off_and_comes_in_nowhere_else() -> None:
    (ink,) = inked(line((0.5, 0.5), (1.0, 0.5), (1.5, 0.5)), torch.tensor([0.05], dtype=torch.float64), 100)
    assert ink[50, 99] == 1
    assert not ink[:, :40].any()
    away = inked(line((3.0, -2.0), (4.0, -2.0), (5.0, -2.0)), torch.tensor([0.05], dtype=torch.float64), 100)
    assert not away.any()


def test_an_alphabets_classes_share_strokes_that_other_alphabets_have_not() -> None:
    recipe, keys = few("drawn", parts=2), torch.arange(64)

    def steps(alphabet: int) -> set[float]:
        """Lengths of the first steps of all first strokes, told to a ten-thousandth, before anything is made to fit."""
        made = characters(recipe, Stream(5).rows(keys), torch.full((64,), alphabet))
        first, second = (made.points[:, 0, 1] - made.points[:, 0, 0]).norm(dim=1), made.points[:, 0, 2] - made.points[:, 0, 1]
        return {round(ratio, 4) for ratio in (first / second.norm(dim=1)).tolist()}

    assert len(steps(0)) == len(steps(1)) == 2
    assert not steps(0) & steps(1)
    own = characters(few("drawn-easy"), Stream(5).rows(keys), torch.zeros(64, dtype=torch.int64))
    assert len(torch.unique(own.points[:, 0, 1] - own.points[:, 0, 0], dim=0)) == 64


def test_tiny_characters_and_near_duplicates_are_rejected() -> None:
    sizes = torch.full((8,), 40)

    def nearest(recipe: Recipe) -> tuple[float, float]:
        """How far the nearest two of an alphabet are from covering each other; the least extent."""
        chosen, _ = _classes(recipe, Stream(2), sizes)
        ink = inked(chosen, torch.full((320,), 0.1, dtype=torch.float64), 15).reshape(8, 40, -1).float()
        both, each = ink @ ink.transpose(1, 2), ink.sum(dim=-1)
        apart = 1.0 - 2.0 * both / (each[:, :, None] + each[:, None])
        apart[:, torch.arange(40), torch.arange(40)] = 1.0
        return float(apart.amin(dim=(1, 2)).mean()), float(chosen.extent.amax(dim=1).min())

    picky, lax = nearest(few("drawn")), nearest(few("drawn", candidates=1))
    assert picky[0] > 0.28
    assert lax[0] < 0.2
    assert picky[1] >= 0.35 > lax[1]


def test_turning_is_a_turn_and_of_about_the_angle_asked() -> None:
    angle = torch.linspace(-1.2, 1.2, 25, dtype=torch.float64)
    cosine, sine = turned(angle)
    assert torch.allclose(cosine**2 + sine**2, torch.ones(25, dtype=torch.float64), atol=1e-15)
    assert torch.allclose(torch.atan2(sine, cosine), angle, atol=0.02)


def test_a_set_is_kept_on_disk_and_made_anew_where_it_is_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path))
    made: list[int] = []

    def make() -> torch.Tensor:
        made.append(1)
        return torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4)

    def kept() -> torch.Tensor:
        return store.kept("some", (2, 3, 4), make)

    assert torch.equal(kept(), make())
    made.clear()
    assert torch.equal(kept(), torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4))
    assert not made
    (file,) = (tmp_path / "characters").iterdir()
    whole = file.read_bytes()
    for damaged in (whole[:-3], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], bytes(32) + whole[32:], b"", b"none"):
        file.write_bytes(damaged)
        assert torch.equal(kept(), torch.arange(24, dtype=torch.uint8).reshape(2, 3, 4))
        assert file.read_bytes() == whole
    assert len(made) == 5


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("AIGA_CACHE", str(tmp_path / "file"))
    assert store.kept("some", (2,), lambda: torch.ones(2, dtype=torch.uint8)).tolist() == [1, 1]


def test_a_set_is_loaded_once_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    first = Source("drawn").load()
    monkeypatch.setattr("aiga_characters.sets.drawn_set", None)
    assert Source("drawn").load() is first
