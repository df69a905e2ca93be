"""One recorded episode of a walker as one small JSON file, for browsers to draw.

``aiga replay NAME ID --out life.json`` writes it; ``python -m aiga_walker draw life.json --out life.gif`` draws it, without the
run, by :mod:`aiga_walker.episode_art`.

**The file** is UTF-8 JSON: an object with a key a line, in this order (readers may take them in any).

===================  =================================================================================================
``format``           always ``"aiga-walker-episode"``
``version``          of the format; here 1. A reader refuses what is greater than it knows
``made_by``          what wrote the file, such as ``"aiga 0.1.0"``; for people
``steps``            ``T`` >= 1, steps lived, each of 1/50 s
``done``             true where the walker fell or finished, false where the time was over
``finished``         true where it crossed the finishing line, at x = 190 * 14/30 m
``score``            the episode's return, exactly; null where it is not known
``course``           a course's name, or its genome as an object (:class:`aiga_walker.courses.Course`), or null
``terrain_seed``     decimal digits *in a string*: it may exceed the integers that a JavaScript number holds; or null
``about``            an object of whatever its writer wanted to tell. ``aiga replay`` tells ``run``, the ids ``env`` and
                     ``agent``, the pair's ``score``, which is a mean of ``episodes``, the ``iteration`` and ``purpose`` of
                     that score, which ``episode`` of them this is, counted from 1, and a ``caption``
``corners``          how many corners each box has, in the order of the points in ``columns.boxes``
``columns``          the numbers, by name, see below
``crc32``            eight hexadecimal digits: CRC-32 of all bytes of the file before the ``,`` LF that end the line above
===================  =================================================================================================

**A column** is an array of ``shape`` [n, channels], or [n] for one channel, kept as an object with ``shape``, ``per``,
``differences``, ``bytes`` and ``data``. To read it, with c channels:

1. Decode ``data`` from base64 (RFC 4648, padded) and inflate it; it is a zlib stream (RFC 1950), which a browser's
   ``DecompressionStream("deflate")`` reads. That gives ``bytes`` * n * c bytes.
2. The unsigned integer u of row t and channel j is the sum over k < ``bytes`` of ``byte[(k * c + j) * n + t] << 8 * k``: the
   lowest byte of every number comes first, then the next one of every number (little-endian, in planes), a channel at a time.
3. Its signed integer is ``(u >>> 1) ^ -(u & 1)`` (zigzag: 0, -1, 1, -2, 2 are kept as 0, 1, 2, 3, 4).
4. ``differences`` times, replace each channel by its running sums: row 0 stays, row t becomes itself plus row t - 1.
5. The value is the integer divided by ``per``. All integers, running sums too, fit in 32 bits.

===========  ==========  ======  ===================================================================================
column       shape       per     what
===========  ==========  ======  ===================================================================================
``line``     [V, 2]      1000    x and y in m of the ground's vertices, from left to right
``boxes``    [C, 2]      1000    x and y in m of the corners of all boxes, one box after another
``hull``     [T, 2]      1000    x and y in m of the hull's centre *after* each step
``angles``   [T, 5]      1000    in rad: of the hull; of each limb, relative to what it hangs on (thigh and shank of the one
                                 leg, thigh and shank of the other; thighs hang on the hull, shanks on their thigh)
``slack``    [T, 8]      1000    x and y in m of the same four limbs, beyond where stiff joints would have them
``actions``  [T, 4]      100     the action of each step: hip and knee of the one leg, then of the other, -1 to 1
``returns``  [T]         100     sum of the rewards up to and with each step
===========  ==========  ======  ===================================================================================

**Poses.** A body's own angle is the sum of ``angles`` from the hull down to it. With ``down(a, l) = (l sin a, -l cos a)``,
a in rad, and ``round(v) = floor(v + 0.5)`` of each coordinate, the integers of centres, in mm, are::

    thigh = round(hull  + down(hull's angle,  800 / 3)  + down(thigh's angle, 1700 / 3)) + slack of the thigh
    shank = round(thigh + down(thigh's angle, 1700 / 3) + down(shank's angle, 1700 / 3)) + slack of the shank

Bodies are drawn as polygons around their centres, turned by their angles (anticlockwise, y points up); corners in units of
1/30 m: hull (-30, 9) (6, 9) (34, 1) (34, -8) (-30, -8), thigh a rectangle 8 wide and 34 high, shank 6.4 wide and 34 high.

**Error and size.** Positions come back within 0.5 mm, angles within 0.5 mrad, actions and returns within 0.005, and single
rewards, which are differences of returns, within 0.01; no error adds up over steps or limbs. (Where a language's sine differs
in its last bit, a limb may, once in millions of steps, be 1 mm off; nothing follows from it.) A thousand steps of the walker
that ships take 15 kB, course and header about 1 kB. What is read and written again has the same bytes.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version as _version_of
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from aiga import InputError, Population, Trajectory
from aiga.durable import storage, write_atomic
from aiga_walker.draw import Pose
from aiga_walker.episode_columns import Floats, Integers, floats, integers, pack, unpack
from aiga_walker.terrain import FINISH, Terrain, terrains

FORMAT: Final = "aiga-walker-episode"
VERSION: Final = 1
METRES: Final = 1000  # parts of a metre, and of a radian, that are told apart
HUNDREDTHS: Final = 100  # parts of an action and of a return

_HIP, _HALF = 800 / 3, 1700 / 3  # mm: from the hull's centre down to the hip; half a limb
_LIMBS: Final = ((1, 0, _HIP), (2, 1, _HALF), (3, 0, _HIP), (4, 3, _HALF))  # body, what it hangs on, how far below its centre
_SUM: Final = re.compile(rb',\n"crc32":"([0-9a-f]{8})"\}\s*\Z')
_MENDING: Final = "Copy it again from where it was whole, or record the episode anew"


@dataclass(frozen=True)
class Episode:
    """One walker's life on one course.

    Attributes:
        terrain: the course's ground, in m.
        poses: ``[T, 5, 3]`` float64: x and y in m, angle in rad of hull, thigh, shank, thigh and shank after each step.
        actions: ``[T, 4]`` float64.
        rewards: ``[T]`` float64.
        done: whether it fell or finished; else its time was over.
        finished: whether it crossed the finishing line.
        score: the return; None where it is not known.
        course: a course's name or its genome's values, without the seed.
        terrain_seed: what the terrain was drawn with.
        about: JSON-able words on where it comes from.
    """

    terrain: Terrain
    poses: Floats
    actions: Floats
    rewards: Floats
    done: bool
    finished: bool
    score: float | None = None
    course: str | Mapping[str, Any] | None = None
    terrain_seed: int | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.poses)

    def pose_list(self) -> list[Pose]:
        """The poses as :mod:`aiga_walker.draw` takes them."""
        poses: list[Pose] = self.poses.tolist()
        return poses


def episode_of(
    envs: Population,
    trajectory: Trajectory,
    row: int = 0,
    score: float | None = None,
    course: str | None = None,
    about: Mapping[str, Any] | None = None,
) -> Episode:
    """One row of a recorded batch of lives, up to its end.

    Args:
        envs: courses; row ``i`` is where row ``i`` of the trajectory was lived.
        trajectory: with ``poses``, as :func:`aiga_walker.stepped.live_stepped` records it.
        row: which.
        score: its return; the sum of its rewards where it is left out.
        course: its name; the genome's values where it is left out.
        about: JSON-able words on where it comes from.
    """
    (batch,) = envs.in_order(torch.tensor([row])).batches
    leaves = {name: leaf[0] for name, leaf in batch.explicit().leaves.items()}
    genome = {name: leaf.tolist() for name, leaf in leaves.items() if name != "seed"}
    genome |= {key: value for key, value in batch.kind.structure.items() if key == "terrain"}
    poses = np.array(poses_of(trajectory, row), np.float64).reshape(-1, 5, 3)
    actions, rewards = (column[: len(poses), row].double().cpu().numpy() for column in (trajectory.actions, trajectory.rewards))
    done = bool(len(poses)) and bool(trajectory.done[len(poses) - 1, row])
    # Who falls past the finishing line has not finished; the fine for a fall stands in place of a step's reward.
    finished = done and bool(poses[-1, 0, 0] > FINISH) and bool(rewards[-1] != -100.0)
    return Episode(
        terrain=terrains(batch)[0],
        poses=poses,
        actions=actions,
        rewards=rewards,
        done=done,
        finished=finished,
        score=float(rewards.sum()) if score is None else score,
        course=genome if course is None else course,
        terrain_seed=int(leaves["seed"]),
        about=dict(about or {}),
    )


def poses_of(trajectory: Trajectory, row: int = 0) -> list[Pose]:
    """The poses of one row, up to the end of its life."""
    done = trajectory.done[:, row]
    length = int(done.to(int).argmax()) + 1 if done.any() else len(done)  # type: ignore[call-overload]
    poses: list[Pose] = trajectory.extras["poses"][:length, row].tolist()
    return poses


def write(path: Path, episode: Episode) -> Path:
    """Writes ``episode``, whole or not at all.

    Raises:
        ValueError: for an episode without a step, of arrays that do not fit together, or with numbers that are not finite.
        TypeError: if ``about`` or ``course`` is not JSON-able.
        aiga.StorageError: if it cannot be written.
    """
    content = dumps(episode)
    with storage(path, "writing the episode"):
        write_atomic(path, content)
    return path


def read(path: Path | str) -> Episode:
    """The episode in a file that :func:`write` wrote.

    Raises:
        aiga.InputError: if there is no such file, or it is damaged, truncated, of a newer version or something else altogether.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read: {error.strerror or error}. Name a file that holds a walker's episode."
        ) from None
    return loads(content, str(path))


def dumps(episode: Episode) -> bytes:
    """What a file of ``episode`` holds.

    Raises:
        ValueError, TypeError: as :func:`write`.
    """
    steps, seed = _check(episode), episode.terrain_seed
    whole = integers(episode.poses, METRES, "poses")
    corners = [len(box) for box in episode.terrain.boxes]
    points = np.array([point for box in episode.terrain.boxes for point in box], np.float64).reshape(-1, 2)
    angles = whole[:, :, 2]
    relative = angles.copy()
    for body, above, _ in _LIMBS:
        relative[:, body] -= angles[:, above]
    slack = np.concatenate([whole[:, limb[0], :2] - _hung(whole, *limb) for limb in _LIMBS], axis=1)
    columns = {
        "line": pack(integers(np.array(episode.terrain.line, np.float64), METRES, "line"), METRES, 1),
        "boxes": pack(integers(points, METRES, "boxes"), METRES, 1),
        "hull": pack(whole[:, 0, :2], METRES, 2),
        "angles": pack(relative, METRES, 2),
        "slack": pack(slack, METRES, 0),
        "actions": pack(integers(episode.actions, HUNDREDTHS, "actions"), HUNDREDTHS, 0),
        "returns": pack(integers(np.cumsum(episode.rewards), HUNDREDTHS, "rewards"), HUNDREDTHS, 2),
    }
    values = {
        "format": FORMAT,
        "version": VERSION,
        "made_by": f"aiga {_version_of('aiga')}",
        "steps": steps,
        "done": episode.done,
        "finished": episode.finished,
        "score": episode.score,
        "course": episode.course if episode.course is None or isinstance(episode.course, str) else dict(episode.course),
        "terrain_seed": None if seed is None else str(seed),
        "about": dict(episode.about),
        "corners": corners,
        "columns": columns,
    }
    text = "{" + ",\n".join(f'"{key}":{_json(value)}' for key, value in values.items())
    return text.encode() + f',\n"crc32":"{zlib.crc32(text.encode()):08x}"}}\n'.encode()


def loads(content: bytes, name: str = "the episode") -> Episode:
    """The reverse of :func:`dumps`; ``name`` stands for the file in messages.

    Raises:
        aiga.InputError: as :func:`read`.
    """
    values = _values(content, name)
    try:
        return _episode(values)
    except (KeyError, TypeError, ValueError, OverflowError, zlib.error) as error:
        what = f"{type(error).__name__}: {error}"
        raise InputError(
            f"{name}: says it is a walker's episode of version {VERSION}, but is not as that is laid out ({what}). "
            f"Mend what wrote it, or record the episode anew."
        ) from None


def _check(episode: Episode) -> int:
    steps = len(episode.poses)
    shapes = episode.poses.shape, episode.actions.shape, episode.rewards.shape
    if shapes != ((steps, 5, 3), (steps, 4), (steps,)):
        raise ValueError(f"poses, actions and rewards must be [T, 5, 3], [T, 4] and [T]; found {', '.join(map(str, shapes))}")
    if not steps:
        raise ValueError("an episode without a step has nothing to show")
    return steps


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _hung(whole: Integers, body: int, above: int, below: float) -> Integers:
    """``[T, 2]`` mm: where a limb's centre would be if its joint were stiff, from ``[T, 5, 3]`` mm and mrad."""
    upper, own = (whole[:, which, 2] / METRES for which in (above, body))
    x = whole[:, above, 0] + below * np.sin(upper) + _HALF * np.sin(own)
    y = whole[:, above, 1] - below * np.cos(upper) - _HALF * np.cos(own)
    return np.floor(np.stack([x, y], axis=1) + 0.5).astype(np.int64)


def _values(content: bytes, name: str) -> dict[str, Any]:
    """The JSON object of a file whose bytes are as they were written.

    Raises:
        InputError: for anything else.
    """
    try:
        values = json.loads(content)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        if content.startswith(f'{{"format":"{FORMAT}"'.encode()):
            raise InputError(
                f"{name}: a walker's episode that is truncated or damaged: its {len(content)} bytes are no JSON. {_MENDING}."
            )
        found = f"it begins with {content[:24]!r}" if content else "it is empty"
        remedy = "Name a file that `aiga replay NAME ID --out FILE.json` wrote"
        raise InputError(f"{name}: not a walker's episode: {found}. {remedy}.")
    version, checked = values.get("version"), _SUM.search(content)
    if checked is not None and zlib.crc32(content[: checked.start()]) != int(checked[1], 16):
        raise InputError(
            f"{name}: a walker's episode that was changed since it was written: its checksum does not fit. {_MENDING}."
        )
    if isinstance(version, int) and version > VERSION:
        raise InputError(f"{name}: a walker's episode of version {version}; this aiga reads up to {VERSION}. Upgrade aiga.")
    if version != VERSION or checked is None:
        what = f"version {version!r}" if checked is not None else "no checksum in its last line"
        raise InputError(f"{name}: a walker's episode that was changed since it was written: {what}. {_MENDING}.")
    return values


def _episode(values: Mapping[str, Any]) -> Episode:
    steps, columns, course, seed = (values[key] for key in ("steps", "columns", "course", "terrain_seed"))
    if not isinstance(steps, int) or steps < 1:
        raise ValueError(f"steps {steps!r}")
    line, boxes = (floats(columns[key], METRES, -1, 2) for key in ("line", "boxes"))
    hull, angles, slack = (unpack(columns[key], METRES, steps, n) for key, n in (("hull", 2), ("angles", 5), ("slack", 8)))
    whole = np.zeros((steps, 5, 3), np.int64)
    whole[:, 0, :2], whole[:, :, 2] = hull, angles
    for number, (body, above, below) in enumerate(_LIMBS):
        whole[:, body, 2] += whole[:, above, 2]
        whole[:, body, :2] = _hung(whole, body, above, below) + slack[:, 2 * number : 2 * number + 2]
    returns = unpack(columns["returns"], HUNDREDTHS, steps)
    ends = np.cumsum([0, *values["corners"]]).tolist()
    if ends[-1] != len(boxes) or min(values["corners"], default=3) < 3 or len(line) < 2:
        raise ValueError(f"{len(line)} vertices, and {len(boxes)} corners for boxes of {values['corners']}")
    return Episode(
        terrain=Terrain(_points(line), tuple(_points(boxes[start:end]) for start, end in pairwise(ends))),
        poses=whole / METRES,
        actions=floats(columns["actions"], HUNDREDTHS, steps, 4),
        rewards=np.diff(returns, prepend=0) / HUNDREDTHS,
        done=bool(values["done"]),
        finished=bool(values["finished"]),
        score=None if values["score"] is None else float(values["score"]),
        course=course if course is None or isinstance(course, str) else dict(course),
        terrain_seed=None if seed is None else int(seed),
        about=dict(values["about"]),
    )


def _points(points: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in points.tolist())
