"""A training that was killed, at whatever batch, goes on to the bits of one that was not, in everything that it saves."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from support import merge  # noqa: E402
from training_support import Crash, differences, plain, reach, saved  # noqa: E402

from aiga import training  # noqa: E402
from aiga.errors import PluginError  # noqa: E402

STEPS = {"max_epochs": None, "max_steps": 17}
CASES: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "whole epochs": ({}, (1, 2, 7, 8, 15, 21)),
    "some steps": ({"train": STEPS}, (3, 8, 17)),
    "validation within epochs": ({"train": {**STEPS, "val_check_interval": 3}}, (4, 5, 9, 10)),
    "accumulated gradients": ({"train": {"accumulate_grad_batches": 3}}, (3, 5, 9)),
    "a stream of data": ({"plugins": {"learners": {"options": {"data": "stream"}}}}, (2, 8, 12)),
    "a generator of its own": ({"plugins": {"learners": {"options": {"data": "own"}}}}, (4, 13)),
    "a schedule by steps": ({"train": STEPS, "plugins": {"learners": {"options": {"schedule": "step"}}}}, (5, 15)),
    "a schedule by plateaus": ({"plugins": {"learners": {"options": {"schedule": "plateau"}}}}, (4, 8, 18)),
    "optimisers stepped by hand": ({"plugins": {"learners": {"options": {"manual": True}}}}, (4, 11)),
    "an early stop by an epoch's mean": (
        {"train": {"max_epochs": 20, "early_stop": {"monitor": "loss_epoch", "patience": 1, "min_delta": 0.3}}},
        (4, 10),
    ),
}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def crashed(config: dict[str, Any], name: str, runs: Path, batch: int) -> Path:
    """A training that crashed at a batch."""
    with pytest.raises(PluginError, match="ConnectionError: crashed"):
        training.train(config, name=name, runs=runs, callbacks=[Crash(batch)])
    return runs / name


@pytest.mark.parametrize("case", CASES)
def test_crashed_at_any_batch_it_goes_on_to_the_same_bits(tmp_path: Path, case: str) -> None:
    changes, batches = CASES[case]
    config = plain(**changes)
    whole = saved(training.train(config, name="whole", runs=tmp_path).path)
    for batch in batches:
        path = crashed(config, f"crashed-{batch}", tmp_path, batch)
        training.resume(path)
        assert list(differences(saved(path), whole)) == [], batch


def test_crashed_again_and_again_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole = saved(training.train(plain(), name="whole", runs=tmp_path).path)
    path = crashed(plain(), "crashed", tmp_path, 4)
    for _ in range(4):
        with pytest.raises(PluginError, match="crashed"):
            training.resume(path, callbacks=[Crash(4)])
    training.resume(path)
    assert list(differences(saved(path), whole)) == []


def test_a_checkpoint_due_where_something_would_be_lost_waits(tmp_path: Path) -> None:
    config = plain(train={"max_epochs": 1, "accumulate_grad_batches": 3})
    run = training.train(config, name="r", runs=tmp_path)
    # Of seven batches two sums of gradients end within the epoch, and the last with it.
    assert run.operations("checkpoint")["iteration"].tolist() == [1, 2, 3]


def test_more_steps_than_it_was_started_with_are_those_of_a_longer_training(tmp_path: Path) -> None:
    short = training.train(plain(train={"max_epochs": None, "max_steps": 11}), name="short", runs=tmp_path)
    training.resume(short.path, overrides=["train.max_steps=17"])
    whole = training.train(plain(train=STEPS), name="whole", runs=tmp_path)
    assert list(differences(saved(short.path), saved(whole.path))) == []


def test_its_bits_hang_on_the_seed_and_not_on_generators_before(tmp_path: Path) -> None:
    first = saved(training.train(plain(), name="a", runs=tmp_path).path)
    torch.rand(3)
    assert list(differences(saved(training.train(plain(), name="b", runs=tmp_path).path), first)) == []
    other = saved(training.train(plain(run={"seed": 8}), name="c", runs=tmp_path).path)
    assert any(place.startswith(".1.state_dict") for place in differences(other, first))


def test_agents_learn_the_same_beside_others_and_alone(tmp_path: Path) -> None:
    config = reach(train={"gradient_clip_val": 0.05})
    alone = merge(config, {"plugins": {"learners": {"options": {"agents": 1}}}})
    both = training.train(config, name="both", runs=tmp_path)
    one = training.train(alone, name="alone", runs=tmp_path)
    assert [path.name for path in both.agents] == ["last-0.safetensors", "last-1.safetensors"]
    assert both.agents[0].read_bytes() == one.agents[0].read_bytes()


KILLED = """
import json, sys
import torch
torch.set_num_threads(1)
from aiga import training
training.train(json.loads(sys.argv[1]), name="killed", runs=sys.argv[2])
"""


def test_killed_with_signal_9_it_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    config = reach(train={"max_steps": 60, "checkpoint_every": 4}, plugins={"learners": {"options": {"pause": 0.05}}})
    path = tmp_path / "killed"
    with subprocess.Popen([sys.executable, "-c", KILLED, json.dumps(config), str(tmp_path)]) as process:
        deadline = time.monotonic() + 120.0
        while not list(path.glob("checkpoints/00*8")) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert 8 <= saved(path)[0] < 60
    training.resume(path)
    whole = training.train(merge(config, {"plugins": {"learners": {"options": {"pause": 0.0}}}}), name="whole", runs=tmp_path)
    assert list(differences(saved(path), saved(whole.path))) == []
    assert [a.read_bytes() for a in training.open(path).agents] == [a.read_bytes() for a in whole.agents]


ENDED = """
import json, os, signal, sys
import pytorch_lightning as pl
import torch
torch.set_num_threads(1)
from aiga import training

class End(pl.Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if sys.argv[3] == "SIGKILL" and trainer.global_step == 13:
            os.kill(os.getpid(), signal.SIGKILL)
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx):
        if sys.argv[3] == "SIGTERM" and trainer.global_step == 15:
            os.kill(os.getpid(), signal.SIGTERM)

training.train(json.loads(sys.argv[1]), name="ended", runs=sys.argv[2], callbacks=[End()])
"""


@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
def test_however_it_ends_every_value_is_logged_once(tmp_path: Path, how: str) -> None:
    subprocess.run([sys.executable, "-c", ENDED, json.dumps(reach()), str(tmp_path), how], capture_output=True, timeout=120)
    assert saved(tmp_path / "ended")[0] == (10 if how == "SIGKILL" else 15)
    training.resume(tmp_path / "ended")
    whole = training.train(reach(), name="whole", runs=tmp_path)
    assert logged(tmp_path / "ended") == logged(whole.path)


def logged(path: Path) -> dict[str, list[tuple[int, float]]]:
    """By the name of a value, its steps and what it was at each."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path / "tb"), size_guidance={"scalars": 0})
    events.Reload()
    # Event files are named by the second: of two in one second either is read first.
    return {tag: sorted((point.step, point.value) for point in events.Scalars(tag)) for tag in events.Tags()["scalars"]}
