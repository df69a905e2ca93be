"""Where the arrays of a batch of walkers lie: in NumPy on the host, or in torch on a device; and how they are handed out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from aiga.vector import device_of

Handing = Callable[[Any], Any]
Kind = Literal["bool", "int64", "float32", "float64"]
Flags = NDArray[np.bool_]


class Memory(Protocol):
    """What makes and reads the arrays that a batch is stepped with; theirs are NumPy's operators, of torch's tensors too."""

    def zeros(self, count: int, kind: Kind) -> Any:
        """``[count]`` zeros."""
        ...

    def rows(self, rows: Sequence[int] | NDArray[np.int64]) -> Any:
        """Numbers of walkers, to index with."""
        ...

    def actions(self, actions: Any, shape: tuple[int, ...]) -> Any:
        """Actions as float32 here.

        Args:
            actions: an array, a tensor on any device, or nested sequences.
            shape: that they must have.

        Raises:
            ValueError: if they are not numbers of that shape.
        """
        ...

    def flags(self, *flags: Any) -> tuple[Flags, ...]:
        """Bool arrays of one shape as the host reads them: of a device all together, since each reading waits for it."""
        ...

    def copied(self, values: Any) -> NDArray[Any]:
        """A copy on the host."""
        ...


class HostMemory:
    """NumPy's arrays; a :class:`Memory`."""

    def zeros(self, count: int, kind: Kind) -> NDArray[Any]:
        return np.zeros(count, kind)

    def rows(self, rows: Sequence[int] | NDArray[np.int64]) -> Sequence[int] | NDArray[np.int64]:
        return rows

    def actions(self, actions: Any, shape: tuple[int, ...]) -> NDArray[np.float32]:
        try:
            if hasattr(actions, "detach"):
                # NumPy has no bfloat16, which policies answer with.
                actions = actions.detach().cpu() if actions.is_complex() else actions.detach().float().cpu()
            array = np.asarray(actions)
            if array.dtype.kind not in "fiub":
                raise ValueError(f"found {array.dtype}")
            array = array.astype(np.float32, copy=False)
        except (TypeError, ValueError, RuntimeError) as error:
            raise _no_numbers(actions, shape, error) from error
        return _shaped(array, shape)  # type: ignore[no-any-return]

    def flags(self, *flags: Flags) -> tuple[Flags, ...]:
        return flags

    def copied(self, values: NDArray[Any]) -> NDArray[Any]:
        return values.copy()


class DeviceMemory:
    """Torch's tensors on one device; a :class:`Memory`.

    Args:
        device: a ``torch.device``.
    """

    def __init__(self, device: Any) -> None:
        import torch

        self.device: Final = device
        self._torch = torch

    def zeros(self, count: int, kind: Kind) -> Any:
        return self._torch.zeros(count, dtype=getattr(self._torch, kind), device=self.device)

    def rows(self, rows: Sequence[int] | NDArray[np.int64]) -> Any:
        return self._torch.as_tensor(np.asarray(rows, np.int64), device=self.device)

    def actions(self, actions: Any, shape: tuple[int, ...]) -> Any:
        try:
            tensor = self._torch.as_tensor(actions, device=self.device)
            if tensor.is_complex():
                raise ValueError(f"found {tensor.dtype}")
            tensor = tensor.to(self._torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise _no_numbers(actions, shape, error) from error
        return _shaped(tensor.detach(), shape)

    def flags(self, *flags: Any) -> tuple[Flags, ...]:
        return tuple(self._torch.stack(flags).cpu().numpy())

    def copied(self, values: Any) -> NDArray[Any]:
        return np.array(values.cpu().numpy())


def handing(device: Any) -> Handing:
    """What makes of an array or a tensor what is handed out; it can be pickled, as an environment is.

    Args:
        device: None for NumPy copies; ``cpu`` for tensors that share the array's memory; ``cuda`` for tensors on that device.

    Raises:
        ValueError: for another device, or one that is not there.
    """
    if device is None:
        return np.copy
    import torch

    return partial(torch.as_tensor, device=device_of(device))


def _no_numbers(actions: Any, shape: tuple[int, ...], error: Exception) -> ValueError:
    return ValueError(f"actions of type {type(actions).__name__}: must be numbers of shape {shape}; {error}")


def _shaped(actions: Any, shape: tuple[int, ...]) -> Any:
    if tuple(actions.shape) != shape:
        raise ValueError(
            f"actions of shape {tuple(actions.shape)}: must have shape {shape}, {shape[-1]} numbers an environment"
        )
    return actions
