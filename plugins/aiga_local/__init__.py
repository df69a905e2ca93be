"""The executor `local`: this machine's cores for serial domains, this process for all others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiga_local.plugin import Local as Local

__all__ = ["Local"]


def __getattr__(name: str) -> Any:
    # Loaded late: a worker process ignores signals before it spends seconds on importing torch.
    if name != "Local":
        raise AttributeError(f"module 'aiga_local' has no attribute {name!r}")
    from aiga_local.plugin import Local

    return Local
