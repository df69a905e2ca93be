"""What the walker's plugin draws: courses as strips, a life as a strip, as an animation, or as a file to draw it from."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aiga import Population, Subject
from aiga_walker.draw import Pose, Scene, strip
from aiga_walker.episode_file import dumps, episode_of, poses_of
from aiga_walker.terrain import Terrain, terrains

STRIDE: Final = 3  # steps a frame: 17 frames a second
MOST_FRAMES: Final = 300  # longer lives are shown in larger strides, so that an animation stays under 100 MB


def render(subject: Subject) -> Any:
    """Draws ``subject``; None where it is not a walker's, or a trajectory is missing."""
    if not subject.envs.batches or any(batch.kind.component != "walker" for batch in subject.envs.batches):
        return None
    if subject.what == "environments":
        return [strip(terrain, caption=subject.caption) for terrain in _grounds(subject.envs)]
    if subject.trajectory is None or "poses" not in subject.trajectory.extras:
        return None
    if subject.what == "episode":
        about = {**subject.about, "caption": subject.caption}
        return dumps(episode_of(subject.envs, subject.trajectory, score=subject.fitness, about=about))
    terrain = _grounds(subject.envs)[0]
    poses = poses_of(subject.trajectory)
    if subject.what == "lifetime":
        return strip(terrain, poses, width=1600, height=240, caption=subject.caption)
    if subject.what == "animation":
        return animation(Scene(terrain), poses, subject.caption)
    return None


def animation(scene: Scene, poses: list[Pose], caption: str = "") -> NDArray[np.uint8]:
    """``[N, H, W, 3]``: every third pose, of a life of more than 900 steps fewer, and always the last one."""
    stride = max(STRIDE, math.ceil(len(poses) / MOST_FRAMES))
    # The end of a life is what one waits for: the last frame is always there.
    chosen = [*poses[:-1:stride], *poses[-1:]]
    return np.stack([scene.frame(pose, caption) for pose in chosen])


def _grounds(envs: Population) -> list[Terrain]:
    # Not from `lives`, which brings Box2D and, through Gymnasium, pygame: a picture needs neither.
    return [terrain for _, batch in envs.parts() for terrain in terrains(batch)]
