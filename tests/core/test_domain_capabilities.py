"""What a domain may do beside living: prepare before a run, take threads, and say by which way it lives with a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support

import aiga


class Listener:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def message(self, text: str) -> None:
        self.told.append(text)

    def iteration(self, *args: Any) -> None:
        """Nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


HEAD = """
import os

from aiga.testing.points import PointsDomain


class Ways(PointsDomain):
    def path(self, network):
        return os.environ["WAY"]

    def prepare(self, say):
        say(f"making ready for {self.threads} threads")

    def configure(self, *, threads):
        self.threads = threads
"""
BODY = """
def aiga_register(self, registry):
    registry.domain("points", Ways())
"""


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A search on points, whose domain has every capability and lives by the way that ``WAY`` says."""
    monkeypatch.setenv("WAY", "fused")
    made = support.bare(run={"stop": {"iterations": 1}, "workers": 3}, population={"networks": ["mlp"]}, plugins={"mlp": {}})
    del made["plugins"]["points"]
    made["plugins"]["ways"] = support.plugin(tmp_path, "ways", BODY, HEAD)
    return made


def test_a_domain_prepares_before_the_run_and_before_its_resume(config: dict[str, Any], tmp_path: Path) -> None:
    first, second = Listener(), Listener()
    run = aiga.run(config, name="r", runs=tmp_path, watcher=first)  # type: ignore[arg-type]
    assert first.told[0] == "making ready for 3 threads"
    aiga.resume(run.path, overrides=["run.stop.iterations=2"], watcher=second)  # type: ignore[arg-type]
    assert second.told[0] == "making ready for 3 threads"


def test_a_run_records_the_path_of_each_network_and_is_resumed_on_no_other(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = aiga.run(config, name="r", runs=tmp_path)
    (recorded,) = run.operations("start")["paths"]
    assert set(recorded.values()) == {"fused"}
    before = support.lines(run.path)
    monkeypatch.setenv("WAY", "stepped")
    with pytest.raises(aiga.InputError, match=r"was started with its lives fused .* now they would be stepped\. Go on with"):
        aiga.resume(run.path, overrides=["run.stop.iterations=2"])
    assert support.lines(run.path) == before
    monkeypatch.setenv("WAY", "fused")
    aiga.resume(run.path, overrides=["run.stop.iterations=2"])
    assert len(support.lines(run.path)) >= len(before)
