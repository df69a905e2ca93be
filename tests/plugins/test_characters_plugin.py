from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from learners import SgdHead
from omniglot_files import small
from pydantic import ValidationError
from support import merge, same

import aiga
from aiga import Batch, Kind, Pairs, Population, Stream, Subject, Trajectory
from aiga_characters import Characters, omniglot
from aiga_characters.domain import CharactersDomain
from aiga_characters.download import HASHES
from aiga_characters.objective import Trial
from aiga_characters.render import LEARNT, RIGHT, WRONG
from aiga_characters.sets import Source

LAB: Any = None
DOMAIN = CharactersDomain(labels=20)
SHORT: dict[str, Any] = {
    "run": {"seed": 3, "device": "cpu", "episodes": 2, "confirmations": 2, "checkpoint_every": 2, "stop": {"iterations": 4}},
    "population": {"domain": "characters", "networks": ["mlp"]},
    "slots": {"select": "poet", "improve": "es"},
    "plugins": {
        "characters": {"options": {"labels": 10}},
        "mlp": {"options": {"hidden": [4]}},
        "es": {"options": {"population": 4}},
        "local": {"options": {"device_block": 16}},
        "poet": {
            "options": {
                "capacity": 3,
                "reproduce_every": 2,
                "transfer_every": 2,
                "children": 4,
                "episodes": 1,
                "minimal_criterion": [0.0, 100.0],
                "reproduce_above": 0.0,
            }
        },
    },
}


def registered(**options: object) -> CharactersDomain:
    found: dict[str, CharactersDomain] = {}
    registry: Any = SimpleNamespace(domain=found.__setitem__)
    Characters(Characters.Options(**options)).aiga_register(registry)
    return found["characters"]


def draw(what: str, envs: Batch, trajectory: Trajectory | None = None, caption: str = "") -> Any:
    made = Characters(Characters.Options(labels=20))
    return made.aiga_render(LAB, Subject(what, Population((envs,)), trajectory, caption))


def life(envs: Batch) -> Trajectory:
    network = SgdHead()
    leaves = network.init(Stream(3), network.build(network.structure, DOMAIN.inputs, DOMAIN.outputs), 1)
    zero = torch.tensor([0])
    pairs = Pairs.of(Population((envs,)), Population((Batch.of(Kind("x"), leaves),)), zero, zero)
    made = DOMAIN.live(pairs, network, torch.tensor([7]), record=True)
    assert isinstance(made, tuple)
    return made[1]


def colours(picture: Any) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in np.unique(picture.reshape(-1, 3), axis=0).tolist()}


def test_the_options_reach_the_domain() -> None:
    options = {"labels": 30, "start": "meta-training", "trajectory": 3, "inner_steps": 5, "unseen": 5, "remember": 15}
    domain = registered(source="drawn-easy", seed=4, size=20, **options)
    assert domain.source == Source("drawn-easy", "", 4, 20)
    assert (domain.labels, domain.start, domain.trial) == (30, "meta-training", Trial(3, 5, 5, 15))
    assert (domain.inputs.shape, domain.outputs.shape, domain.outputs.kind) == ((1, 20, 20), (30,), "discrete")


def test_the_defaults_are_the_harder_set_and_anmls_trial() -> None:
    domain = registered()
    assert domain.source == Source("drawn", "", 0, 28, hashes=HASHES)
    assert (domain.labels, domain.trial) == (600, Trial(1, 20, 0, 64))
    assert domain.parallelism == "device"


def test_registering_reads_and_draws_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Source, "load", None)
    assert registered(source="folder", folder="/nowhere").names


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"source": "mnist"}, "source"),
        ({"source": "folder"}, "folder"),
        ({"folder": "somewhere"}, "reads no folder"),
        ({"seed": -1}, "seed"),
        ({"size": 4}, "size"),
        ({"size": 106}, "size"),
        ({"labels": 1}, "labels"),
        ({"inner_steps": 16, "unseen": 5}, "Write unseen = 4"),
        ({"start": "20-way-1-shot-training", "labels": 10}, "Write labels = 20"),
        ({"judged_on": [10, 10]}, "names a length twice"),
        ({"judged_on": [200, 600], "labels": 100}, "Write labels = 200"),
        ({"trajectory": 0, "remember": 0}, "Write remember = 64"),
        ({"hashes": ["abc", HASHES[1]]}, "no SHA-256"),
        ({"hashes": [HASHES[0]]}, "hashes"),
        ({"classes": 5}, "classes"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object], word: str) -> None:
    with pytest.raises(ValidationError, match=word):
        Characters.Options(**options)


def test_hashes_may_be_given_as_an_array() -> None:
    assert Characters.Options(hashes=[HASHES[1].upper(), HASHES[0]]).hashes == (HASHES[1], HASHES[0])


def test_a_person_is_told_that_drawn_characters_are_not_omniglot() -> None:
    assert "not Omniglot's" in Characters().notice()[0]
    assert not Characters(Characters.Options(source="omniglot")).notice()


def test_a_run_goes_on_with_the_same_characters_alone() -> None:
    network: Any = SgdHead()
    assert DOMAIN.path(network) == f"with the characters drawn {DOMAIN.characters.hash[:16]}, learnt by gradients"
    other = CharactersDomain(Source("drawn-easy")).path(object())  # type: ignore[arg-type]
    assert other.startswith("with the characters drawn-easy ")
    assert other.endswith(", shown with their labels")
    assert DOMAIN.characters.hash[:16] not in other


def test_preparing_loads_the_characters_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said: list[str] = []
    with pytest.raises(aiga.InputError, match="neither images_background"):
        CharactersDomain(Source("folder", str(tmp_path))).prepare(said.append)
    assert said == [f"reading characters from {tmp_path}"]


def test_a_folder_is_looked_over_before_a_run_is_begun(tmp_path: Path) -> None:
    config = merge(SHORT, {"plugins": {"characters": {"options": {"source": "folder", "folder": str(tmp_path)}}}})
    with pytest.raises(aiga.InputError, match="neither images_background"):
        aiga.run(config, name="none", runs=tmp_path)
    assert not (tmp_path / "none").exists()
    omniglot.write(small(), tmp_path / "small")
    (tmp_path / "small" / "images_evaluation" / "Gamma" / "character02" / "0005_20.png").write_bytes(b"")
    source = Source("folder", str(tmp_path / "small"))
    source.check()
    with pytest.raises(aiga.InputError, match="no whole PNG image"):
        source.load()
    (tmp_path / "small" / "images_evaluation" / "Gamma" / "character02" / "0005_20.png").unlink()
    with pytest.raises(aiga.InputError, match="has 19 images"):
        source.check()


def test_a_stream_is_drawn_as_a_page_of_its_images() -> None:
    (page,) = draw("environments", DOMAIN.named("sequential-10"))
    assert (page.shape, page.dtype) == ((8 * 28, 20 * 28, 3), np.uint8)
    few = draw("environments", DOMAIN.initial(Stream(1), 3))
    assert [picture.shape for picture in few] == [(2 * 28, 20 * 28, 3)] * 3
    assert not np.array_equal(few[0], few[1])


def test_a_page_has_a_ground_of_one_colour_for_each_class() -> None:
    def grounds(order: float) -> list[tuple[int, ...]]:
        from aiga_characters.genome import streams

        (page,) = draw("environments", streams(torch.tensor([1]), classes=4, examples=5, order=order))
        return [tuple(page[0, 28 * place].tolist()) for place in range(20)]

    one, shuffled = grounds(0.0), grounds(1.0)
    assert len(set(one)) == 4
    assert all(len(set(one[start : start + 5])) == 1 for start in range(0, 20, 5))
    assert sorted(shuffled) == sorted(one)
    assert shuffled != one


def test_a_life_is_drawn_as_its_tests_framed_by_whether_they_were_right() -> None:
    envs = DOMAIN.initial(Stream(1), 1)
    trajectory = life(envs)
    picture = draw("lifetime", envs, trajectory)
    assert picture.shape == (5 * 32 + 2, 5 * 32, 3)
    right = trajectory.rewards[25:, 0] > 0.5
    corners = [tuple(picture[32 * place, 32 * label].tolist()) for label in range(5) for place in range(5)]
    assert corners == [RIGHT if good else WRONG for good in right.tolist()]
    assert {RIGHT, WRONG} <= colours(picture)


def test_an_animation_shows_a_life_image_by_image() -> None:
    envs = DOMAIN.initial(Stream(1), 1)
    frames = draw("animation", envs, life(envs))
    assert (frames.shape, frames.dtype) == ((50, 128, 128, 3), np.uint8)
    assert all(tuple(frame[0, 0].tolist()) == LEARNT for frame in frames[:25])
    assert {tuple(frame[0, 0].tolist()) for frame in frames[25:]} == {RIGHT, WRONG}
    assert len(draw("animation", DOMAIN.named("sequential-10"), life(DOMAIN.named("sequential-10")))) <= 300


def test_a_caption_stands_above_a_picture() -> None:
    (plain,), (told,) = (draw("environments", DOMAIN.initial(Stream(1), 1), caption=words) for words in ("", "five classes"))
    assert told.shape[0] == plain.shape[0] + 26
    assert np.array_equal(told[26:], plain)


def test_what_it_cannot_draw_is_left_to_others() -> None:
    envs = DOMAIN.initial(Stream(1), 1)
    assert draw("environments", Batch.of(Kind("maze"), {"walls": torch.zeros(1)})) is None
    assert draw("lifetime", envs) is None
    assert draw("phylogeny", envs, life(envs)) is None


def test_poet_invents_streams_and_a_run_of_them_resumes(tmp_path: Path) -> None:
    whole = aiga.run(SHORT, name="whole", runs=tmp_path)
    journal = whole.journal()
    assert len(journal[journal["type"] == "born"]) > 4
    assert len(journal[(journal["type"] == "admitted") & (journal["iteration"] > 0)])
    aiga.run(SHORT, name="halves", runs=tmp_path, overrides=["run.stop={iterations=2}"])
    aiga.resume(tmp_path / "halves", overrides=["run.stop={iterations=4}"])
    same(tmp_path / "whole", tmp_path / "halves")


def test_a_run_is_not_resumed_on_other_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    aiga.run(SHORT, name="it", runs=tmp_path, overrides=["run.stop={iterations=1}"])
    monkeypatch.setattr("aiga_characters.sets.Characters.hash", property(lambda self: "other characters"))
    with pytest.raises(aiga.InputError, match="other characters, shown with their labels"):
        aiga.resume(tmp_path / "it", overrides=["run.stop={iterations=2}"])
