"""Pictures of a recorded episode, from its poses alone: no simulator and no window system is loaded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from aiga_walker.draw import Scene, strip
from aiga_walker.episode_file import Episode
from aiga_walker.render import animation


def strip_of(episode: Episode, width: int = 1600, height: int = 240, caption: str = "") -> NDArray[np.uint8]:
    """``[height, width, 3]``: the whole course with the walker on it, every 2.5 m and at the end."""
    return strip(episode.terrain, episode.pose_list(), width, height, caption)


def frames_of(episode: Episode, caption: str = "") -> NDArray[np.uint8]:
    """``[N, 240, 400, 3]``: every third step, seen by a camera that follows; see :func:`aiga_walker.render.animation`."""
    return animation(Scene(episode.terrain), episode.pose_list(), caption)
