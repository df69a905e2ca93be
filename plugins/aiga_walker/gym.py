"""Registers the walkers with Gymnasium, importing nothing else.

Gymnasium 1 looks at no entry points: a package registers its environments when it is imported. So either of::

    import aiga_walker
    gymnasium.make_vec("aiga/BipedalWalker-v3", num_envs=8)
    gymnasium.make_vec("aiga/Walker-v0", num_envs=8, course={"roughness": 2.5, "gap": [0.8, 2.0]})

    gymnasium.make("aiga_walker:aiga/Walker-v0", course="Stump")
"""

from __future__ import annotations

from typing import Any, Final

ID: Final = "aiga/Walker-v0"
_BIPEDAL: Final = {
    "entry_point": "aiga_walker.gym_single:BipedalEnv",
    "vector_entry_point": "aiga_walker.gym_vector:BipedalVectorEnv",
}
_SPECS: Final[dict[str, dict[str, Any]]] = {
    ID: {
        "entry_point": "aiga_walker.gym_single:WalkerEnv",
        "vector_entry_point": "aiga_walker.gym_vector:WalkerVectorEnv",
        "max_episode_steps": 2000,
        "reward_threshold": 230.0,
    },
    # Limits and thresholds of Gymnasium's own.
    "aiga/BipedalWalker-v3": {**_BIPEDAL, "max_episode_steps": 1600, "reward_threshold": 300.0},
    "aiga/BipedalWalkerHardcore-v3": {
        **_BIPEDAL,
        "max_episode_steps": 2000,
        "reward_threshold": 300.0,
        "kwargs": {"hardcore": True},
    },
}


def register() -> None:
    """Registers ``aiga/Walker-v0``, ``aiga/BipedalWalker-v3`` and ``aiga/BipedalWalkerHardcore-v3``, once."""
    from gymnasium.envs.registration import register, registry

    for name, spec in _SPECS.items():
        if name not in registry:
            register(id=name, **spec)
