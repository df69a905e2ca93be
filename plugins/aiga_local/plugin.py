"""The plugin `local`: what may be set, and what it registers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

import aiga
from aiga.components import Registry
from aiga_local.executor import LocalExecutor


class LocalOptions(aiga.Options):
    """Options of `local`.

    Attributes:
        block: rows of network work in one block of a serial domain; a block is what a worker process is given at a time.
        device_block: the same for domains that use threads of their own or a device; halved when memory runs out. A large GPU
            wants thousands.
        timeout: seconds a worker process may spend on one block before it is replaced.
        chunk: blocks in one message to a worker process; more than one only helps where a block takes milliseconds.
    """

    block: int = Field(default=8, ge=1)
    device_block: int = Field(default=512, ge=1)
    timeout: float = Field(default=600.0, gt=0.0, le=1e8)
    chunk: int = Field(default=1, ge=1)


class Local(aiga.Plugin):
    """Runs pairs on this machine."""

    name = "local"
    Options = LocalOptions

    def aiga_register(self, registry: Registry) -> None:
        options: Any = self.options
        registry.executor(
            "local",
            LocalExecutor(
                registry,
                block=options.block,
                device_block=options.device_block,
                timeout=options.timeout,
                chunk=options.chunk,
            ),
        )
