"""What Gymnasium vector environments have in common whatever they step: arguments, resets and attributes, all checked.

The face is that of Gymnasium's ``SyncVectorEnv``; what is wrong is refused with its name, its value and the remedy before
anything is stepped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from gymnasium import Space
from gymnasium.error import ClosedEnvironmentError, Error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

_MODES: Final = ", ".join(repr(mode.value) for mode in AutoresetMode)
_SHARED: Final = ("render_mode", "metadata", "spec", "max_episode_steps")  # attributes that are the same for all


def whole(value: Any, least: int) -> bool:
    """Whether ``value`` is an integer, Python's or NumPy's, of ``least`` or more; a bool is none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and int(value) >= least


def counted(num_envs: Any) -> int:
    """How many environments there are to be.

    Raises:
        ValueError: if ``num_envs`` is not an int of 1 or more.
    """
    if not whole(num_envs, 1):
        raise ValueError(f"num_envs {num_envs!r}: must be an int of 1 or more")
    return int(num_envs)


def one_each(name: str, value: Any, count: int) -> list[Any]:
    """What each of ``count`` environments gets of an argument: its own of a list or tuple, else ``value`` for all.

    Raises:
        ValueError: if there are not ``count``.
    """
    each = list(value) if isinstance(value, (list, tuple)) else [value] * count
    if len(each) != count:
        raise ValueError(f"{name}: {len(each)} {name}s for {count} environments; give one for all, or one for each")
    return each


def rendered(render_mode: Any, metadata: Mapping[str, Any]) -> str | None:
    """The render mode, None for none.

    Raises:
        ValueError: for one that is not in ``metadata``.
    """
    modes = (None, *metadata["render_modes"])
    if render_mode not in modes:
        raise ValueError(f"render_mode {render_mode!r}: must be {' or '.join(map(repr, modes))}")
    return render_mode  # type: ignore[no-any-return]


def device_of(device: Any) -> Any:
    """The ``torch.device``, with its number where it is CUDA's.

    Raises:
        ValueError: for one that is not there, or neither ``cpu`` nor ``cuda``.
    """
    import torch

    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {device!r}: must be None, 'cpu' or 'cuda'") from error
    if wanted.type == "cpu":
        return wanted
    if wanted.type != "cuda":
        raise ValueError(f"device {device!r}: must be None, 'cpu' or 'cuda'")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (wanted.index or 0) >= there:
        raise ValueError(f"device {device!r}: torch finds {there} CUDA devices here; write device='cpu'")
    return torch.device("cuda", torch.cuda.current_device() if wanted.index is None else wanted.index)


class Asked(NamedTuple):
    """What a reset is asked for.

    Attributes:
        rows: which environments.
        seeds: of those of ``rows`` that get a new one.
        options: without ``reset_mask``; the caller's stay as they are.
    """

    rows: list[int]
    seeds: dict[int, int]
    options: dict[str, Any]


class CheckedVectorEnv(VectorEnv[Any, Any, Any]):
    """``N`` environments in one, whose arguments, resets and attributes are checked; how they step is left to who derives it.

    Args:
        num_envs: ``N``, see :func:`counted`.
        observation_space, action_space: of each.
        metadata: of the single environment; ``render_modes`` and what it has besides.
        render_mode: one of them, or None.
        max_episode_steps: after which an episode is truncated; None for never.
        autoreset_mode: when a finished episode is followed by a new one: in the next step, in the same step, or when asked.
        tensors: whether torch tensors are handed out, and not NumPy arrays.

    Raises:
        ValueError: for an argument that is none of these.
    """

    def __init__(
        self,
        num_envs: int,
        observation_space: Space[Any],
        action_space: Space[Any],
        metadata: Mapping[str, Any],
        render_mode: str | None,
        max_episode_steps: int | None,
        autoreset_mode: str | AutoresetMode,
        tensors: bool,
    ) -> None:
        if max_episode_steps is not None and not whole(max_episode_steps, 1):
            raise ValueError(f"max_episode_steps {max_episode_steps!r}: must be an int of 1 or more, or None for no limit")
        try:
            self.autoreset_mode = AutoresetMode(autoreset_mode)
        except ValueError as error:
            raise ValueError(f"autoreset_mode {autoreset_mode!r}: must be one of {_MODES}") from error
        self.render_mode = rendered(render_mode, metadata)
        self.num_envs, self.max_episode_steps = num_envs, max_episode_steps
        self.metadata = {**metadata, "autoreset_mode": self.autoreset_mode, **({"torch": True} if tensors else {})}
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space, self.action_space = (
            batch_space(observation_space, num_envs),
            batch_space(action_space, num_envs),
        )

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Of each environment an attribute, or for ``render`` a frame; no environment has other methods.

        Raises:
            AttributeError: for a name that there is not.
        """
        if name == "render":
            return self.render() or (None,) * self.num_envs
        values = {shared: (getattr(self, shared),) * self.num_envs for shared in _SHARED}
        values["observation_space"] = (self.single_observation_space,) * self.num_envs
        values["action_space"] = (self.single_action_space,) * self.num_envs
        if name in values:
            return values[name]
        own = self._attributes()
        if name not in own:
            raise AttributeError(f"{name!r}: must be one of {', '.join(sorted([*values, *own]))}")
        return tuple(own[name]())

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Of each environment an attribute; see :meth:`call`."""
        return self.call(name)

    def _attributes(self) -> dict[str, Callable[[], Sequence[Any]]]:
        """By name, what gives of each environment an attribute that not all share."""
        return {}

    def _open(self) -> None:
        """Raises ``ClosedEnvironmentError`` after :meth:`close`."""
        if self.closed:
            raise ClosedEnvironmentError("the environment is closed: make a new one")

    def _asked(self, seed: Any, options: Any) -> Asked:
        """What the arguments of a reset mean.

        Raises:
            ValueError: if the seeds are not ``N``, the options no dict, or the mask has another length, or nothing true.
            TypeError: if the mask is not a bool array.
            gymnasium.error.Error: for a seed that is not an int of 0 or more.
        """
        self._open()
        seeds = self._seeds_of(seed)
        if options is not None and not isinstance(options, Mapping):
            raise ValueError(f"options {options!r}: must be a dict, or None")
        left = dict(options or {})
        mask = self._mask(left.pop("reset_mask")) if "reset_mask" in left else np.ones(self.num_envs, np.bool_)
        rows = np.flatnonzero(mask).tolist()
        return Asked(rows, {row: value for row in rows if (value := seeds[row]) is not None}, left)

    def _going(self, over: NDArray[np.bool_]) -> None:
        """Raises ``RuntimeError`` where nothing but a reset is left to do; ``over`` is ``[N]``."""
        if over.any():
            raise RuntimeError(
                f"the episodes of environments {np.flatnonzero(over).tolist()} are over: "
                "reset these, with options['reset_mask'], before the next step"
            )

    def _seeds_of(self, seed: Any) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, (int, np.integer)):
            seed = [int(seed) + row for row in range(self.num_envs)]
        if not isinstance(seed, (list, tuple, np.ndarray)) or np.ndim(seed) != 1:
            raise ValueError(f"seed {seed!r}: must be one int, a list with an int or None for each environment, or None")
        if len(seed) != self.num_envs:
            raise ValueError(f"seed: {len(seed)} seeds for {self.num_envs} environments; give one int, or one for each")
        for value in seed:
            if value is not None and not whole(value, 0):
                raise Error(f"seed {value!r}: must be an int greater or equal to zero, or None")
        return [None if value is None else int(value) for value in seed]

    def _mask(self, mask: Any) -> NDArray[np.bool_]:
        mask = mask.cpu().numpy() if hasattr(mask, "detach") else mask
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            raise TypeError(f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},)")
        if mask.shape != (self.num_envs,) or not mask.any():
            raise ValueError(
                f"options['reset_mask'] {mask!r}: must be a bool array of shape ({self.num_envs},) with at least one True"
            )
        return mask
