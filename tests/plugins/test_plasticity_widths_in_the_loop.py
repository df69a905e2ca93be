"""Plastic networks whose architectures differ from niche to niche, in the open-ended loop: POET, a2c and mazes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import support
import torch

import aiga

ITERATIONS = 4
# Newborn mutants of the residents' structures for every niche, until somebody chooses architectures with more thought.
GROWS = """
    def aiga_transfer(self, lab):
        niches, each = lab.niches, 4
        network = lab.component("network", "backpropamine")
        place = torch.arange(len(niches)).repeat_interleave(each)
        rng = lab.rng("mutants").rows(niches.key.repeat_interleave(each) * each + torch.arange(len(place)) % each)
        residents = [niches.agents.in_order(niches.agent[[row]]).batches[0].kind for row in place.tolist()]
        structures = network.space.mutate(rng.child("structures"), [kind.structure for kind in residents])
        members = {}
        for row, structure in enumerate(structures):
            members.setdefault(aiga.Kind("backpropamine", structure), []).append(row)
        batches, order = [], []
        for kind, rows in members.items():
            layout = network.build(kind.structure, lab.domain.inputs, lab.domain.outputs)
            leaves = network.init(rng.child("leaves").rows(rng.row_keys[rows]), layout, len(rows))
            batches.append(aiga.Batch.of(kind, leaves))
            order += rows
        agents, target = aiga.Population(tuple(batches)), place[torch.tensor(order)]
        count = len(order)
        return Offers(agents, torch.arange(count), niches.key[target], ("grown",) * count, torch.zeros(count).double())
"""
CONFIG: dict[str, Any] = {
    "run": {
        "seed": 5,
        "device": "cpu",
        "workers": 1,
        "episodes": 2,
        "confirmations": 1,
        "checkpoint_every": 2,
        "stop": {"iterations": ITERATIONS},
    },
    "population": {"domain": "maze", "networks": ["backpropamine"], "niches": 2},
    "slots": {"select": "poet", "improve": "a2c"},
    "plugins": {
        "maze": {"options": {"max_size": 9, "max_steps": 80}},
        "backpropamine": {"options": {"units": 6, "search": ["width", "modulation"], "widths": [3, 16]}},
        "a2c": {"options": {"episodes": 2}},
        "local": {"options": {"device_block": 8}},
        "poet": {
            "options": {
                "capacity": 3,
                "reproduce_every": 2,
                "transfer_every": 1,
                "children": 2,
                "admit": 1,
                "episodes": 1,
                "minimal_criterion": [0.0, 99.0],
                "reproduce_above": 0.0,
            }
        },
    },
}


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A search in which a plugin offers agents of new structures."""
    return support.merge(CONFIG, {"plugins": {"grows": support.plugin(tmp_path_factory.mktemp("grows"), "grows", GROWS)}})


@pytest.fixture(scope="module")
def whole(config: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    return aiga.run(config, name="whole", runs=tmp_path_factory.mktemp("whole")).path


def test_niches_come_to_have_agents_of_unlike_architectures_that_go_on_learning_and_moving(whole: Path) -> None:
    run, moved = aiga.open(whole), support.events(whole, "transferred")
    batches = run.niches.agents.batches
    assert len({batch.kind.structure["units"] for batch in batches}) > 1
    assert {event["operator"] for event in moved} >= {"grown"}
    assert len({event["operator"] for event in moved}) > 1, "nobody moved from niche to niche"
    for batch in batches:
        columns = run.niches.state[batch.kind.hash]
        size = sum(leaf[0].numel() for leaf in batch.leaves.values())
        assert columns["m"].shape == (len(batch), size)


def test_resumed_from_a_checkpoint_it_goes_on_to_the_same_end(config: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    with support.engine(tmp_path, config, "whole") as it:
        it.found()
        it.step()
        it.step()
        it.save()
        it.step()  # committed to the journal, and in no checkpoint
        assert len({batch.kind for batch in it.w.niches.agents.batches}) > 1
    aiga.resume(tmp_path / "whole")
    support.same(tmp_path / "whole", whole)


def test_the_size_of_blocks_changes_no_bit(config: dict[str, Any], whole: Path, tmp_path: Path) -> None:
    wider = support.merge(config, {"plugins": {"local": {"options": {"device_block": 32}}}})
    support.same(aiga.run(wider, name="other", runs=tmp_path).path, whole)


def test_agents_of_unlike_architectures_take_proposals_as_each_would_alone(config: dict[str, Any], tmp_path: Path) -> None:
    with support.founded(tmp_path, config, iterations=3) as it:
        lab, niches = it.w.lab("poet"), it.w.niches
        count = len(niches)
        target, source = torch.arange(count).repeat_interleave(count), torch.arange(count).repeat(count)
        pairs = aiga.Pairs.of(niches.envs, niches.agents, niches.env[target], niches.agent[source])
        together = lab.improve(pairs, 1, state="niche", purpose="try")
        assert len({batch.kind for batch in together.batches}) > 1
        for row in (1, len(pairs) - 2):
            alone = lab.improve(pairs.take(torch.tensor([row])), 1, state="niche", purpose="try")
            assert alone.hashes[0] == together.hashes[row]
