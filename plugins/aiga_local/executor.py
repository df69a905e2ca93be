"""The executor: this process for domains with threads of their own or on a device, worker processes for serial ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from aiga.components import Domain, Registry
from aiga.data import Kind, Pairs, Scores, Status, Trajectory
from aiga.errors import RAISED, Abandoned
from aiga.threads import threads
from aiga_local.blocks import Span, Work, bucket_of, explain, failed, live, real
from aiga_local.gather import gather
from aiga_local.padding import PaddedNetwork
from aiga_local.pool import Pool


class LocalExecutor:
    """Runs batches of pairs on this machine; results hang neither on the number of workers nor on what they are sent at a time.

    Args:
        registry: where domains and networks are found by name; its recipe makes them anew in worker processes.
        block: rows of network work in a block of a serial domain.
        device_block: the same for other domains.
        timeout: seconds a worker process may spend on a block.
        chunk: blocks in one message to a worker process.

    Attributes:
        losses: workers lost and blocks made smaller, JSON-able, oldest first; :meth:`drain_losses` empties it.
        interrupted: asked about ten times a second; once it says yes, :meth:`run` raises ``Abandoned``.
    """

    def __init__(
        self, registry: Registry, *, block: int = 8, device_block: int = 512, timeout: float = 600.0, chunk: int = 1
    ) -> None:
        self._registry = registry
        self._block = block
        self._device_block = device_block
        self._timeout = timeout
        self._chunk = chunk
        self._workers = 0
        self._device = torch.device("cpu")
        self._threads = 1
        self._pool: Pool | None = None
        self.losses: list[dict[str, Any]] = []
        self.interrupted: Callable[[], bool] = lambda: False

    def configure(self, *, workers: int, device: str, threads: int = 1) -> None:
        """Takes the run's means: worker processes for serial domains (0: none), the device and intra-op threads for others."""
        if workers != self._workers:
            self.close()
        self._workers, self._device, self._threads = workers, torch.device(device), threads

    @property
    def blocks(self) -> dict[str, int]:
        """Rows of network work in a block, by kind of domain; what bits may hang on."""
        return {"serial": self._block, "device": self._device_block}

    def run(self, domain: str, pairs: Pairs, seeds: Tensor) -> Scores:
        """Lives every pair ``E`` times; see :class:`aiga.components.Executor`.

        A pair that fails has a status and a reason, and NaN for every number.

        Raises:
            Abandoned: when ``interrupted`` said so; the executor may be used again.
            AigaError: if worker processes cannot be started.
            KeyError: if the domain or a network is not registered.
            ValueError: if ``seeds`` is not ``[P, E]``.
        """
        where: Domain = self._registry.get("domain", domain)
        work = Work.of(domain, pairs, seeds, self._bucket)
        serial = where.parallelism == "serial"
        with threads(1 if serial else self._threads):
            if not (serial and self._workers and len(pairs)):
                return gather(work, self._here(work, where.parallelism))
            spans = work.spans(self._block)
            return gather(work, list(zip(spans, self._crew().live(work, spans, self._block, self._stop), strict=True)))

    def record(self, domain: str, pairs: Pairs, seeds: Tensor) -> tuple[Scores, Trajectory]:
        """Lives every pair once and keeps the lifetimes: the very ones that :meth:`run` scores on these seeds.

        Always in this process, in one block padded as those of :meth:`run` are.

        Args:
            domain: name of the domain.
            pairs: environments of one kind with agents of one kind or bucket, at most one block of them.
            seeds: ``[P]`` int64.

        Raises:
            ValueError: for pairs of several kinds, none, or more than a block.
            Exception: whatever the domain or the network raises.
        """
        where: Domain = self._registry.get("domain", domain)
        serial = where.parallelism == "serial"
        device = self._device if where.parallelism == "device" else torch.device("cpu")
        rows = self._block if serial else self._device_block
        work = Work.of(domain, pairs, seeds[:, None], self._bucket)
        if len(work.spans(rows)) != 1:
            raise ValueError(f"pairs of one kind and at most {rows} of them can be recorded; found {len(pairs)}")
        given, lives = work.block((0, len(pairs)))
        given, network = real(given, where, self._registry, device)
        with threads(1 if serial else self._threads):
            made = where.live(given, PaddedNetwork(network, rows), lives, record=True)
        if not isinstance(made, tuple):
            raise ValueError(f"the domain {domain!r} answered no lifetimes when asked to record them")
        return made

    def drain_losses(self) -> list[dict[str, Any]]:
        """What was lost since this was last asked."""
        losses, self.losses[:] = list(self.losses), []
        return losses

    def close(self) -> None:
        """Ends the worker processes; a later :meth:`run` starts new ones."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _bucket(self, kind: Kind) -> Kind:
        return bucket_of(self._registry, kind)

    def _stop(self) -> bool:
        return self.interrupted()

    def _crew(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(self._registry.recipe, self._workers, self._timeout, self._chunk, self.losses)
        return self._pool

    def _here(self, work: Work, parallelism: str) -> list[tuple[Span, Scores]]:
        """Blocks one after another in this process; where memory runs out, smaller ones from there on."""
        device = self._device if parallelism == "device" else torch.device("cpu")
        serial = parallelism == "serial"
        rows = self._block if serial else self._device_block
        waiting, out = deque(work.spans(rows)), []
        while waiting:
            if self._stop():
                raise Abandoned("given up between two blocks")
            span = waiting.popleft()
            try:
                scores = live(work, span, rows, self._registry, device)
            except RAISED as error:
                if _out_of_memory(error) and rows > 1:
                    rows = self._halve(serial)
                    waiting = deque(work.spans(rows, span[0]))
                    continue
                scores = failed(span[1] - span[0], Status.ERROR, explain(work.domain, error))
            out.append((span, scores))
        return out

    def _halve(self, serial: bool) -> int:
        if serial:
            self._block = rows = self._block // 2
        else:
            self._device_block = rows = self._device_block // 2
        self.losses.append({"what": "memory", "reason": "out of memory", "rows": rows})
        torch.cuda.empty_cache()  # does nothing where CUDA was never used
        return rows


def _out_of_memory(error: BaseException) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text)
