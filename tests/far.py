"""A device of this machine's own memory that is told apart from it, and counts how often the host would wait for it.

Tensors there wrap ordinary ones. What would make a host wait for a CUDA device is counted: copies across that are not told
not to wait, numbers that Python asks for, and operations whose answer's size hangs on numbers. Where operands are on both
sides, it refuses, as CUDA does.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "far"
_ASKED = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_dim", "unique_consecutive"}
_INDEXED = {"index", "index_put", "index_put_"}

waits: Counter[str] = Counter()
"""How often the host waited, by where in aiga it did."""


class Far(torch.Tensor):
    """A tensor on that device."""

    near: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, near: Tensor) -> Far:
        whole = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            near.size(),
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=torch.device(NAME, 0),
        )
        whole.near = near
        return whole  # type: ignore[no-any-return]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _done(func, args, kwargs or {})


class _There(TorchDispatchMode):
    """What is made there from nothing is made here."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if Far in types or _far(kwargs.get("device")):
            return _done(func, args, kwargs)
        return func(*args, **kwargs)


@contextmanager
def there() -> Iterator[str]:
    """The device's name, while there is one."""
    if not hasattr(torch, NAME):
        _setup_privateuseone_for_python_backend(NAME)
    waits.clear()
    with _There():
        yield NAME


def _far(device: Any) -> bool:
    return device is not None and torch.device(device).type == NAME


def _near(x: Any) -> Any:
    if isinstance(x, Far):
        return x.near
    return torch.device("cpu") if isinstance(x, torch.device) and x.type == NAME else x


def _done(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name, given = func.overloadpacket.__name__, [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
    held = [x for x in given if isinstance(x, Far)]
    strange = [x for x in given if not isinstance(x, Far) and x.ndim]
    crosses = name in ("_to_copy", "copy_")
    if held and strange and not crosses and name not in _INDEXED:
        raise RuntimeError(f"{name}: tensors on two devices, {[tuple(x.shape) for x in strange]} on the host")
    device = kwargs.get("device")
    goes = _far(device) if device is not None else bool(held)
    if name in _ASKED or _by_numbers(name, func, args, kwargs) or (name in _INDEXED and bool(held) and bool(strange)):
        _waited(name)
    if name == "_to_copy" and bool(held) != goes and not (goes and kwargs.get("non_blocking")):
        _waited("to")
    if name == "copy_" and isinstance(args[0], Far) != isinstance(args[1], Far):
        nonblocking = isinstance(args[0], Far) and (kwargs.get("non_blocking") or (len(args) > 2 and args[2]))
        if not nonblocking and (args[1].ndim or isinstance(args[1], Far)):
            _waited("copy_")
    out = func(*tree_map(_near, args), **tree_map(_near, kwargs))
    if isinstance(args[0] if args else None, Far) and func._schema.is_mutable and name.endswith("_"):
        return args[0]
    wrap: Callable[[Any], Any] = lambda x: Far(x) if goes and isinstance(x, Tensor) and not isinstance(x, Far) else x  # noqa: E731
    return tree_map(wrap, out)


def _by_numbers(name: str, func: Any, args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the answer's size hangs on numbers there."""
    if name == "repeat_interleave":
        return kwargs.get("output_size") is None and any(isinstance(x, Far) for x in args)
    if name in _INDEXED and isinstance(args[0], Far):
        masks = any(isinstance(x, Far) and x.dtype in (torch.bool, torch.uint8) for x in args[1] if x is not None)
        return masks and not (name != "index" and args[2].numel() == 1)
    return False


def _waited(what: str) -> None:
    ours = [f for f in traceback.extract_stack() if "/aiga" in f.filename and "/tests/" not in f.filename]
    names = [f"{Path(f.filename).name}:{f.lineno}" for f in ours if not f.filename.endswith("crossing.py")]
    waits[f"{what} {' '.join(names[-4:])}"] += 1
