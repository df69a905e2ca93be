"""A recorded life as a file: what is read is what was lived, within the quantum; and it can be drawn from the file alone."""

from __future__ import annotations

import base64
import dataclasses
import json
import shutil
import subprocess
import sys
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from aiga import Batch, InputError, Kind, Pairs, Population, Trajectory
from aiga.images import save_image
from aiga_networks import Mlp
from aiga_networks.mlp import MlpNetwork
from aiga_walker import episode_file
from aiga_walker.courses import course_of
from aiga_walker.domain import WalkerDomain
from aiga_walker.draw import strip
from aiga_walker.episode_art import frames_of, strip_of
from aiga_walker.episode_file import Episode, dumps, episode_of, loads, read, write
from aiga_walker.terrain import terrains

HALF_MILLI, HALF_HUNDREDTH = 0.0005 + 1e-9, 0.005 + 1e-9
READER = Path(__file__).with_name("walker_episode.mjs")


def recorded(*names: str, steps: int = 2000) -> tuple[Population, Trajectory, list[float]]:
    """One life of the walker that ships on each course."""
    domain, network = WalkerDomain(steps=steps), MlpNetwork(Mlp.Options())
    leaves = load_file(domain.agents["walker-flat"])
    agent = Batch.of(Kind("mlp", dict(network.structure)), {name: leaf[None] for name, leaf in leaves.items()})
    envs = Population(tuple(domain.named(name) for name in names))
    rows = torch.arange(len(names))
    both = domain.live(Pairs.of(envs, Population((agent,)), rows, torch.zeros_like(rows)), network, rows, record=True)
    assert isinstance(both, tuple)
    return envs, both[1], both[0].fitness.tolist()


@pytest.fixture(scope="module")
def lives() -> dict[str, Episode]:
    names = ("flat", "BipedalWalker", "Stump", "Hardcore")
    envs, trajectory, scores = recorded(*names)
    return {name: episode_of(envs, trajectory, row, scores[row], about={"run": "walker-1"}) for row, name in enumerate(names)}


def short(life: Episode, steps: int = 60) -> Episode:
    """The first steps of a life, as if its time had been over."""
    cut = {name: getattr(life, name)[:steps] for name in ("poses", "actions", "rewards")}
    return dataclasses.replace(life, **cut, done=False, finished=False)


def forged(life: Episode, change: Any) -> bytes:
    """A file of ``life`` that ``change`` was done to before its checksum was taken."""
    values = json.loads(dumps(life))
    del values["crc32"]
    change(values)
    text = json.dumps(values, separators=(",", ":"))[:-1].encode()
    return text + f',\n"crc32":"{zlib.crc32(text):08x}"}}\n'.encode()


@pytest.mark.parametrize("name", ["flat", "BipedalWalker", "Stump", "Hardcore"])
def test_what_is_read_is_what_was_lived_within_half_a_quantum(lives: dict[str, Episode], name: str, tmp_path: Path) -> None:
    life = lives[name]
    back = read(write(tmp_path / "life.json", life))
    assert np.abs(back.poses - life.poses).max() <= HALF_MILLI
    assert np.abs(back.actions - life.actions).max() <= HALF_HUNDREDTH
    assert np.abs(back.rewards.cumsum() - life.rewards.cumsum()).max() <= HALF_HUNDREDTH
    assert np.abs(back.rewards - life.rewards).max() <= 2 * HALF_HUNDREDTH
    assert np.abs(np.array(back.terrain.line) - np.array(life.terrain.line)).max() <= HALF_MILLI
    assert len(back.terrain.boxes) == len(life.terrain.boxes)
    for mine, theirs in zip(back.terrain.boxes, life.terrain.boxes, strict=True):
        assert np.abs(np.array(mine) - np.array(theirs)).max() <= HALF_MILLI
    for exact in ("done", "finished", "score", "course", "terrain_seed", "about"):
        assert json.dumps(getattr(back, exact)) == json.dumps(getattr(life, exact))


def test_a_life_ends_where_it_ended_and_says_how(lives: dict[str, Episode]) -> None:
    assert (lives["flat"].done, lives["flat"].finished) == (True, True)
    assert (lives["Stump"].done, lives["Stump"].finished) == (True, False)
    assert len(lives["Stump"]) < len(lives["flat"])
    envs, trajectory, _ = recorded("flat", steps=50)
    cut = episode_of(envs, trajectory)
    assert (cut.done, cut.finished, len(cut)) == (False, False, 50)
    assert cut.score == pytest.approx(cut.rewards.sum())


def test_a_walker_that_falls_past_the_finishing_line_has_not_finished(lives: dict[str, Episode]) -> None:
    life, end = lives["flat"], len(lives["flat"])
    columns = [torch.from_numpy(x).unsqueeze(1).clone() for x in (life.actions, life.rewards, life.poses)]
    done = torch.zeros(end, 1, dtype=torch.bool)
    done[-1] = True
    envs = Population((WalkerDomain().named("flat"),))
    trajectory = Trajectory(columns[0], columns[0], columns[1], done, {"poses": columns[2]})
    assert episode_of(envs, trajectory).finished
    columns[1][-1] = -100.0
    assert not episode_of(envs, trajectory).finished


def test_the_course_can_be_laid_anew_from_what_the_file_says(lives: dict[str, Episode]) -> None:
    for name in ("Stump", "Hardcore"):
        back = loads(dumps(lives[name]))
        assert isinstance(back.course, dict)
        assert back.terrain_seed is not None
        (laid,) = terrains(course_of(back.course).rows(torch.tensor([back.terrain_seed])))
        assert laid == lives[name].terrain


def test_a_terrain_seed_outlives_a_browser(lives: dict[str, Episode]) -> None:
    seed = 2**62 - 1  # no double has this value
    content = dumps(dataclasses.replace(short(lives["flat"]), terrain_seed=seed))
    assert json.loads(content)["terrain_seed"] == str(seed)
    assert loads(content).terrain_seed == seed


@pytest.mark.parametrize("name", ["flat", "BipedalWalker"])
def test_a_thousand_steps_take_15_kb_with_little_around_them(lives: dict[str, Episode], name: str) -> None:
    life, content = lives[name], dumps(lives[name])
    assert len(life) > 1000
    assert len(content) < 15.0 * len(life) + 1500


def test_what_was_read_is_written_to_the_same_bytes(lives: dict[str, Episode]) -> None:
    for life in (*lives.values(), short(lives["Stump"], 1)):
        content = dumps(life)
        assert dumps(loads(content)) == content


def test_limbs_torn_from_their_joints_come_back_too(lives: dict[str, Episode]) -> None:
    rng = np.random.default_rng(0)
    poses = rng.uniform(-300.0, 300.0, (40, 5, 3))
    back = loads(dumps(dataclasses.replace(short(lives["flat"], 40), poses=poses)))
    assert np.abs(back.poses - poses).max() <= HALF_MILLI


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"poses": np.zeros((0, 5, 3)), "actions": np.zeros((0, 4)), "rewards": np.zeros(0)}, "without a step"),
        ({"rewards": np.zeros(3)}, "must be"),
        ({"actions": np.full((60, 4), np.nan)}, "actions: a number that is not finite"),
        ({"poses": np.full((60, 5, 3), np.inf)}, "poses: a number that is not finite"),
        ({"score": float("nan")}, "not JSON compliant"),
    ],
)
def test_what_cannot_be_kept_is_not_written(lives: dict[str, Episode], tmp_path: Path, change: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write(tmp_path / "life.json", dataclasses.replace(short(lives["flat"]), **change))
    assert not list(tmp_path.iterdir())


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(path)
    assert len(caught.value.problems) == 1
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


def test_every_truncation_is_noticed(lives: dict[str, Episode], tmp_path: Path) -> None:
    path, content = tmp_path / "life.json", dumps(short(lives["flat"]))
    for length in (31, 200, len(content) // 2, len(content) - 12, len(content) - 2):
        path.write_bytes(content[:length])
        assert f"truncated or damaged: its {length} bytes are no JSON. Copy it again" in complaint(path)


def test_no_flipped_bit_is_taken_for_an_episode(lives: dict[str, Episode], tmp_path: Path) -> None:
    path, content = tmp_path / "life.json", dumps(short(lives["Stump"]))
    for at in range(0, len(content) - 1, 7):  # all but the last line feed
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert "newer" not in complaint(path)
        assert "Upgrade" not in complaint(path)


def test_a_changed_score_is_noticed(lives: dict[str, Episode], tmp_path: Path) -> None:
    path, content = tmp_path / "life.json", dumps(dataclasses.replace(short(lives["flat"]), score=12.5))
    path.write_bytes(content.replace(b'"score":12.5', b'"score":99.5'))
    assert "checksum does not fit. Copy it again" in complaint(path)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"\x89PNG\r\n\x1a\n", r"it begins with b'\x89PNG"),
        (b'{"format": "other"}', "it begins with"),
        (b"[1, 2]", "it begins with b'[1, 2]'"),
        (b"[" * 100_000, "it begins with"),
    ],
)
def test_a_strangers_file_is_told_apart(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "life.json"
    path.write_bytes(content)
    said = complaint(path)
    assert f"not a walker's episode: {found}" in said
    assert "Name a file that" in said


def test_a_newer_version_asks_for_a_newer_aiga(
    lives: dict[str, Episode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as later:
        later.setattr(episode_file, "VERSION", 2)
        path = write(tmp_path / "life.json", short(lives["flat"]))
    assert "version 2; this aiga reads up to 1. Upgrade aiga." in complaint(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file or directory. Name a file" in complaint(tmp_path / "life.json")
    assert "Is a directory. Name a file" in complaint(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda v: v["columns"].pop("hull"), "KeyError: 'hull'"),
        (lambda v: v["columns"]["hull"].update(shape=[61, 2]), "shape [61, 2] in place of [60, 2]"),
        (lambda v: v["columns"]["hull"].update(per=100), "per 100"),
        (lambda v: v["columns"]["hull"].update(data="?"), "Error: "),
        (lambda v: v["columns"]["line"].update(shape=[10**15, 2]), "bytes in a column of"),
        (lambda v: v["columns"]["line"].update(shape=[7, 2]), "more than 28 bytes in a column of 28"),
        (lambda v: v.update(steps="many"), "steps 'many'"),
        (lambda v: v.update(corners=[3]), "corners for boxes of [3]"),
        (lambda v: v.update(about=None), "TypeError: "),
    ],
)
def test_a_file_made_wrongly_is_refused_with_the_place(
    lives: dict[str, Episode], tmp_path: Path, change: Any, said: str
) -> None:
    path = tmp_path / "life.json"
    path.write_bytes(forged(short(lives["Stump"]), change))
    message = complaint(path)
    assert said in message
    assert "Mend what wrote it" in message


def test_a_small_file_cannot_ask_for_all_memory(lives: dict[str, Episode], tmp_path: Path) -> None:
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    path = tmp_path / "life.json"
    path.write_bytes(forged(short(lives["flat"]), lambda v: v["columns"]["slack"].update(data=bomb)))
    tracemalloc.start()
    assert "more than 480 bytes in a column of 480" in complaint(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_browsers_reader_written_from_the_description_reads_the_same_numbers(
    lives: dict[str, Episode], tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    for name in ("flat", "Hardcore"):
        path = write(tmp_path / f"{name}.json", lives[name])
        told = subprocess.run([node, READER, path], capture_output=True, text=True, check=True)
        theirs, mine = json.loads(told.stdout), read(path)
        assert np.abs(np.array(theirs["poses"]) - mine.poses * 1000).max() < 1e-6
        assert np.abs(np.array(theirs["returns"]) - mine.rewards.cumsum() * 100).max() < 1e-6
        assert np.abs(np.array(theirs["actions"]) - mine.actions * 100).max() < 1e-6
        assert theirs["boxes"] == [[[round(x * 1000), round(y * 1000)] for x, y in box] for box in mine.terrain.boxes]
        assert theirs["line"] == [[round(x * 1000), round(y * 1000)] for x, y in mine.terrain.line]


def test_an_animation_of_the_file_opens_with_its_frames_and_goes_somewhere(lives: dict[str, Episode], tmp_path: Path) -> None:
    life = loads(dumps(short(lives["Stump"], 100)))
    frames = frames_of(life, caption="a walker")
    assert (frames.shape, frames.dtype) == ((34, 240, 400, 3), np.uint8)
    with Image.open(save_image(tmp_path / "life.gif", frames)) as animation:
        assert animation.format == "GIF"
        assert animation.n_frames == 34  # type: ignore[attr-defined]
        assert animation.info["duration"] == 60
        first = np.asarray(animation.convert("RGB"))
        animation.seek(33)
        assert not np.array_equal(first, np.asarray(animation.convert("RGB")))


def test_a_life_of_one_step_is_one_frame(lives: dict[str, Episode]) -> None:
    assert frames_of(short(lives["flat"], 1)).shape == (1, 240, 400, 3)


def test_a_strip_from_the_file_is_that_of_the_life_itself(lives: dict[str, Episode], tmp_path: Path) -> None:
    life = lives["Stump"]
    picture = strip_of(loads(dumps(life)))
    assert picture.shape == (240, 1600, 3)
    itself = strip(life.terrain, life.pose_list(), width=1600, height=240)
    # Half a millimetre moves no outline by a pixel of 58 mm; it shades some of their edges.
    assert np.abs(picture.astype(int) - itself.astype(int)).mean() < 0.5
    with Image.open(save_image(tmp_path / "life.png", picture)) as image:
        assert np.array_equal(np.asarray(image), picture)


def test_neither_pygame_nor_a_simulator_is_needed_to_draw(lives: dict[str, Episode], tmp_path: Path) -> None:
    path = write(tmp_path / "life.json", short(lives["Stump"]))
    code = """
import sys
sys.modules.update(dict.fromkeys(("pygame", "Box2D"), None))
from aiga_walker.__main__ import app
app()
"""
    for out in (tmp_path / "a.gif", tmp_path / "a.png"):
        subprocess.run([sys.executable, "-c", code, "draw", path, "--out", out], check=True)
        assert out.exists()
