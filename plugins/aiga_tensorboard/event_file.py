"""An event file of TensorBoard's: records appended one by one, each on its way to the disk before the call returns.

TensorBoard's own writers hand records to a thread, which tells of a full disk one call late and loses what it still holds when
the process is killed; a run resumed from a later checkpoint would then miss steps for good.
"""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path
from typing import Any

_STAMP = re.compile(r"events\.out\.tfevents\.(\d{10,})\b.*")


class EventFile:
    """A new event file in ``folder``, read after all that are there.

    Args:
        folder: made where it is missing.
        first: the step of the first record to come; what older files hold of it and of later steps no longer counts.

    Raises:
        OSError: here and in :meth:`write`, if it cannot be written; the file is closed then.
    """

    def __init__(self, folder: Path, first: int) -> None:
        from tensorboard.compat.proto import event_pb2
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._event = event_pb2.Event
        self._file = (folder / f"events.out.tfevents.{_stamp(folder):010d}.aiga").open("xb")
        self._records: Any = RecordWriter(self._file)
        start = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
        self._put(self._event(wall_time=time.time(), file_version="brain.Event:2"))
        self._put(self._event(wall_time=time.time(), step=first, session_log=start))

    def write(self, step: int, values: list[Any]) -> None:
        """Appends one record.

        Args:
            step: the iteration.
            values: ``Summary.Value`` messages with unlike tags.
        """
        event = self._event(wall_time=time.time(), step=step)
        event.summary.value.extend(values)
        self._put(event)

    def close(self) -> None:
        """Lets go of the file; more than once does no harm."""
        self._file.close()

    def _put(self, event: Any) -> None:
        try:
            self._records.write(event.SerializeToString())
            self._file.flush()
        except BaseException:
            # Closing writes what is left in the buffer, which fails again on a full disk.
            with contextlib.suppress(OSError):
                self._file.close()
            raise


def _stamp(folder: Path) -> int:
    """Seconds since 1970, but past those of every file there: readers take files in order of name, and clocks go back."""
    there = [int(match[1]) for path in folder.iterdir() if (match := _STAMP.fullmatch(path.name))]
    return max([int(time.time()), *(stamp + 1 for stamp in there)])
