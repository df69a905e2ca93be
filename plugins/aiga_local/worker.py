"""A worker process: started by the executor with ``python -m aiga_local.worker BOARD``, fed through its standard input.

The first message is JSON with the recipe of the run's components; each further one names blocks of the work that lies on
the board, an anonymous file shared with the parent. It ends when its standard input closes, so that a parent's death leaves
no orphan.
"""

from __future__ import annotations

import json
import mmap
import os
import queue
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from aiga_local.frames import PIECE, Inbox, write

if TYPE_CHECKING:
    from aiga.components import Registry
    from aiga_local.blocks import Work

GRACE = 30.0  # seconds past the time allowed for a block after which a worker that nobody killed ends itself


def main() -> None:
    """Serves until standard input closes."""
    # The parent decides when to end: a Ctrl-C or SIGTERM meant for it must not take its workers first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    incoming, outgoing = _own_pipes()
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(incoming, messages), daemon=True).start()
    greeting = json.loads(messages.get())
    try:
        registry = _assemble(greeting["recipe"])
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        write(outgoing, json.dumps({"broken": f"{type(error).__name__}: {error}"}).encode())
        return
    write(outgoing, json.dumps({"broken": None}).encode())
    _serve(registry, int(sys.argv[1]), float(greeting["timeout"]), messages, outgoing)


def _own_pipes() -> tuple[int, int]:
    """Private copies of standard input and output: what a plugin prints goes to standard error and garbles no message."""
    incoming, outgoing = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return incoming, outgoing


def _listen(pipe: int, messages: queue.SimpleQueue[bytes]) -> None:
    inbox = Inbox()
    while piece := os.read(pipe, PIECE):
        for message in inbox.feed(piece):
            messages.put(message)
    # Whatever the main thread is doing, nobody wants its result.
    os._exit(0)


def _assemble(recipe: str) -> Registry:
    import torch

    from aiga.discovery import assemble

    torch.set_num_threads(1)
    return assemble(recipe)


def _serve(registry: Registry, board: int, timeout: float, messages: queue.SimpleQueue[bytes], outgoing: int) -> None:
    from aiga.codec import loads
    from aiga_local.blocks import Work

    job, work = -1, None
    # Ends the process without Python's help: a block stuck in C code, whose parent is gone too, must not run for ever.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    while True:
        message = loads(messages.get())
        if message["job"] != job or work is None:
            with mmap.mmap(board, message["size"], access=mmap.ACCESS_READ) as view:
                job, work = message["job"], Work.load(view[:])
        for number, span in zip(message["blocks"], message["spans"], strict=True):
            signal.setitimer(signal.ITIMER_REAL, timeout + GRACE)
            answer = _answer(work, number, span, message["rows"], registry)
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            write(outgoing, answer)


def _answer(work: Work, number: int, span: tuple[int, int], rows: int, registry: Registry) -> bytes:
    import torch

    from aiga.codec import dumps
    from aiga.data import Status
    from aiga.errors import RAISED
    from aiga_local.blocks import explain, failed, live

    try:
        return dumps({"block": number, "scores": live(work, span, rows, registry, torch.device("cpu"))})
    except RAISED as error:
        traceback.print_exc()
        scores = failed(span[1] - span[0], Status.ERROR, explain(work.domain, error))
        return dumps({"block": number, "scores": scores})


if __name__ == "__main__":
    main()
