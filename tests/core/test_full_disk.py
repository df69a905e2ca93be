"""A disk that is really full: the run ends with a clear message, stays readable, and goes on once there is space."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import support

import aiga

CONFIG = support.search(
    run={"checkpoint_every": 2, "stop": {"iterations": 8}}, population={"networks": ["mlp"], "niches": 3}, plugins={"mlp": {}}
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two mebibytes."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount") is not None
    if (
        not mounted
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=False, capture_output=True
        ).returncode
    ):
        pytest.skip("only root may mount a small file system, and only where mounting is allowed")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("spare", [0, 4096, 40_000, 90_000])
def test_on_a_full_disk_it_ends_clearly_and_goes_on_once_there_is_space(disk: Path, tmp_path: Path, spare: int) -> None:
    begun = aiga.run(CONFIG, name="r", runs=disk, overrides=["run.stop.iterations=2"])
    space = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(0, space.f_bavail * space.f_frsize - spare)))
    with pytest.raises(aiga.StorageError, match=r"(space|full)"):
        aiga.resume(begun.path, overrides=["run.stop.iterations=60"])
    last = int(aiga.open(begun.path).journal()["iteration"].max())
    assert last >= 2
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
    end = max(8, last + 1)
    aiga.resume(begun.path, overrides=[f"run.stop.iterations={end}"])
    support.same(begun.path, aiga.run(CONFIG, name="w", runs=tmp_path, overrides=[f"run.stop.iterations={end}"]).path)


def test_on_a_disk_too_small_for_a_run_nothing_is_left_behind(disk: Path) -> None:
    space = os.statvfs(disk)
    (disk / "ballast").write_bytes(bytes(space.f_bavail * space.f_frsize))
    with pytest.raises(aiga.StorageError, match=r"(space|full)"):
        aiga.run(CONFIG, name="r", runs=disk)
    assert [path.name for path in disk.iterdir()] == ["ballast"]
