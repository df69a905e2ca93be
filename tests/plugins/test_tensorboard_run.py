"""A whole run followed in TensorBoard, resumed, and held against its own journal."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import aiga
from aiga.art import draw
from aiga.testing import points

CONFIG: dict[str, Any] = {
    "api": 1,
    "run": {"seed": 1, "device": "cpu", "workers": 1, "checkpoint_every": 6, "stop": {"iterations": 10}},
    "population": {"domain": "points", "networks": ["mlp"]},
    "slots": {"select": "poet", "improve": "es"},
    "plugins": {
        "points": {"path": points.__file__},
        "poet": {
            "options": {
                "reproduce_every": 3,
                "transfer_every": 2,
                "children": 6,
                "minimal_criterion": [-50.0, 299.0],
                "reproduce_above": 0.0,
                "capacity": 5,
                "episodes": 1,
            }
        },
        "es": {"options": {"population": 8}},
        "mlp": {},
        "local": {},
        "tensorboard": {},
    },
}


def read(run: aiga.Run) -> EventAccumulator:
    found = EventAccumulator(str(run.path / "tb"), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    found.Reload()
    return found


def test_a_run_resumed_from_an_older_checkpoint_has_every_step_once_and_agrees_with_its_journal(tmp_path: Path) -> None:
    run = aiga.run(CONFIG, name="followed", runs=tmp_path)
    newest = max((run.path / "checkpoints").glob("0*"))
    assert int(newest.name) == 10
    shutil.rmtree(newest)
    run = aiga.resume(run.path, overrides=["run.stop.iterations=12"])
    found = read(run)

    def curve(tag: str) -> dict[int, float]:
        points = found.Scalars(tag)
        assert len({point.step for point in points}) == len(points), f"{tag} has a step twice"
        return {point.step: point.value for point in points}

    iterations = run.journal("iteration")
    assert list(curve("search/niches")) == list(range(1, 13))
    assert curve("search/niches") == dict(zip(iterations["iteration"], iterations["niches"].astype(float), strict=True))
    with run.reading() as journal:
        annecs = journal.annecs().set_index("iteration")
    assert curve("annecs/active") == annecs["annecs_active"].astype(float).drop(0).to_dict()
    assert curve("annecs/solved_at_birth") == annecs["solved_at_birth"].astype(float).drop(0).to_dict()
    admitted = run.journal("admitted")
    assert len(admitted) > 1, "nothing was admitted, so nothing was tested"
    assert sorted(found.Tags()["images"]) == sorted(f"environments/env-{env}" for env in admitted["env"])
    assert all(len(found.Images(tag)) == 1 for tag in found.Tags()["images"])
    assert len(found.Tensors("configuration/text_summary")) == 1
    assert "seconds/poet.generate" in found.Tags()["scalars"]
    assert all(path.is_file() for path in draw(run.path))
