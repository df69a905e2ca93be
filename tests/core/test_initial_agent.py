"""Agents to start from: files, names that ship with a domain, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from aiga import InputError
from aiga.founding import read_agent

LAYOUT = {"bias": (4,), "weight": (2, 4)}


def agent() -> dict[str, torch.Tensor]:
    return {"bias": torch.arange(4.0), "weight": torch.ones(2, 4)}


def test_an_agent_is_read_from_a_path_or_by_the_name_it_ships_under(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(agent(), path)
    for source, shipped in ((str(path), {}), ("walker-flat", {"walker-flat": path})):
        leaves = read_agent(source, shipped, LAYOUT, "mlp")
        assert {name: tuple(leaf.shape) for name, leaf in leaves.items()} == {"bias": (1, 4), "weight": (1, 2, 4)}
        assert torch.equal(leaves["bias"][0], agent()["bias"])


def test_an_agent_of_another_shape_is_refused_with_both_shapes(tmp_path: Path) -> None:
    save_file({"bias": torch.zeros(3)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"does not fit network 'mlp'.*bias.*\(3,\).*wants.*weight"):
        read_agent(str(tmp_path / "a.safetensors"), {}, LAYOUT, "mlp")


def test_a_missing_agent_names_those_that_ship_and_a_torn_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file 'walker-flt'.*ship with the domain: walker-flat.*leave it out"):
        read_agent("walker-flt", {"walker-flat": tmp_path / "x"}, LAYOUT, "mlp")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="not a safetensors file"):
        read_agent(str(tmp_path / "torn.safetensors"), {}, LAYOUT, "mlp")
