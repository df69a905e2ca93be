"""How a vector environment hands out its arrays: as copies, or as tensors on a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

Handing = Callable[[NDArray[Any]], Any]


def handing(device: Any) -> Handing:
    """What makes of an array what is handed out.

    Args:
        device: None for NumPy copies; ``cpu`` for tensors that share the array's memory; ``cuda`` for copies on that device.

    Raises:
        ValueError: for another device, or one that is not there.
    """
    if device is None:
        return lambda array: array.copy()
    import torch

    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {device!r}: must be None, 'cpu' or 'cuda'") from error
    if wanted.type == "cpu":
        return torch.from_numpy
    if wanted.type != "cuda":
        raise ValueError(f"device {device!r}: must be None, 'cpu' or 'cuda'")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (wanted.index or 0) >= there:
        raise ValueError(
            f"device {device!r}: torch finds {there} CUDA devices here, and the walker's simulator runs on the processor; "
            "write device='cpu'"
        )
    return lambda array: torch.from_numpy(array).to(wanted)
