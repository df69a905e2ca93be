"""Agents to start from: files, names that ship with a domain, and what is wrong with them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import support
import torch
from safetensors.torch import save_file

import aiga
from aiga import InputError, experiment
from aiga import config as configs
from aiga.founding import agent_file, read_agent
from aiga.rundir import RunDirectory

LAYOUT = {"bias": (4,), "weight": (2, 4)}


def agent() -> dict[str, torch.Tensor]:
    return {"bias": torch.arange(4.0), "weight": torch.ones(2, 4)}


def domain(**agents: Path) -> Any:
    return SimpleNamespace(agents={name.replace("_", "-"): path for name, path in agents.items()})


def test_an_agent_is_read_from_a_path_or_by_the_name_it_ships_under(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(agent(), path)
    assert agent_file("a.safetensors", domain(), tmp_path) == path
    assert agent_file("walker-flat", domain(walker_flat=path), tmp_path / "elsewhere") == path
    leaves = read_agent(path, LAYOUT, "mlp")
    assert {name: tuple(leaf.shape) for name, leaf in leaves.items()} == {"bias": (1, 4), "weight": (1, 2, 4)}
    assert torch.equal(leaves["bias"][0], agent()["bias"])


def test_an_agent_of_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    save_file({"bias": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"does not fit network 'mlp'.*bias.*\(3,\).*wants.*weight"):
        read_agent(tmp_path / "a.safetensors", LAYOUT, "mlp")


def test_a_missing_agent_names_those_that_ship_and_a_torn_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file '.*walker-flt'.*ship with the domain: walker-flat.*leave it out"):
        agent_file("walker-flt", domain(walker_flat=tmp_path / "x"), tmp_path)
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="not a safetensors file"):
        read_agent(tmp_path / "torn.safetensors", LAYOUT, "mlp")


def test_a_run_killed_before_its_founding_needs_the_users_agent_no_more_wherever_it_is_moved(tmp_path: Path) -> None:
    save_file({"weight": torch.full((2, 2), 0.25)}, tmp_path / "mine.safetensors")
    config = support.bare(
        run={"stop": {"iterations": 1}}, population={"networks": ["linear"], "initial_agent": "mine.safetensors"}
    )
    given = configs.from_dict(config, base=tmp_path)
    made = experiment.assemble(given)
    RunDirectory.create(tmp_path, "killed", experiment.files(given, made))
    (tmp_path / "mine.safetensors").unlink()
    shutil.move(tmp_path / "killed", tmp_path / "moved")
    run = aiga.resume(tmp_path / "moved")
    assert bool((run.niches.agents.batches[0].leaves["weight"] == 0.25).all())
