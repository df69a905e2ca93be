"""Registers ``aiga/Walker-v0`` with Gymnasium, importing nothing else.

Gymnasium 1 looks at no entry points: a package registers its environments when it is imported. So either of::

    import aiga_walker
    gymnasium.make_vec("aiga/Walker-v0", num_envs=8, course={"roughness": 2.5, "gap": [0.8, 2.0]})

    gymnasium.make("aiga_walker:aiga/Walker-v0", course="Stump")
"""

from __future__ import annotations

from typing import Final

ID: Final = "aiga/Walker-v0"


def register() -> None:
    """Registers ``aiga/Walker-v0``, once."""
    from gymnasium.envs.registration import register, registry

    if ID not in registry:
        register(
            id=ID,
            entry_point="aiga_walker.gym_single:WalkerEnv",
            vector_entry_point="aiga_walker.gym_vector:WalkerVectorEnv",
            max_episode_steps=2000,
            reward_threshold=230.0,
        )
