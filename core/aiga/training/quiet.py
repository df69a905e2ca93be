"""Lightning's own words go to the run's log: a person reads aiga's."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_LOGGERS = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")


class _Handler(logging.Handler):
    def __init__(self, log: Callable[[str], None] | None) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if self._log is not None:
            self._log(f"{record.name}: {record.getMessage()}")


@contextmanager
def quiet(log: Callable[[str], None] | None) -> Iterator[None]:
    """Sends what Lightning and Python's warnings say within its body to ``log``, a line each; nowhere where there is none."""
    handler, kept = _Handler(log), []
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        kept.append((logger, list(logger.handlers), logger.propagate))
        logger.handlers, logger.propagate = [handler], False

    def told(message: Warning | str, category: type[Warning], *_: Any) -> None:
        if log is not None:
            log(f"{category.__name__}: {' '.join(str(message).split())}")

    try:
        with warnings.catch_warnings():
            warnings.showwarning = told  # type: ignore[assignment]
            yield
    finally:
        for logger, handlers, propagate in kept:
            logger.handlers, logger.propagate = handlers, propagate
