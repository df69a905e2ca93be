"""The trainers ``a2c`` and ``meta-gradient`` under ``aiga train``, and the example of each experiment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import aiga
from aiga import training

EXAMPLES = Path(__file__).parents[2] / "examples" / "learners"
SMALL = {
    "maze": ["plugins.a2c.options.episodes=4", "plugins.a2c.options.epoch=2"],
    "cue": ["plugins.a2c.options.episodes=4"],
    "recall": ["plugins.meta-gradient.options.lifetimes=8", "plugins.meta-gradient.options.epoch=2"],
    "image_recall": ["plugins.meta-gradient.options.lifetimes=2"],
    "text": ["plugins.meta-gradient.options.lifetimes=2"],
}


def trained(folder: Path, name: str, *overrides: str, label: str = "t") -> Any:
    stop = ["train.max_steps=3", "train.log_every_n_steps=1", "train.accelerator=cpu"]
    return training.train(
        EXAMPLES / f"{name}.toml", name=label, runs=folder, overrides=[*stop, *SMALL.get(name, ()), *overrides]
    )


def leaves(folder: Path, label: str = "t") -> dict[str, torch.Tensor]:
    return load_file(folder / label / "agents" / "last.safetensors")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_names_what_there_is(path: Path) -> None:
    from aiga.training.assembly import prepare

    given, made = prepare(path)
    assert given.train.trainer in made.components.names("trainer")


@pytest.mark.parametrize("name", ["maze", "recall"])
def test_a_training_changes_its_agents_and_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    trained(tmp_path, name)
    trained(tmp_path, name, "train.max_steps=2", label="cut")
    assert any(not torch.equal(leaf, leaves(tmp_path, "cut")[key]) for key, leaf in leaves(tmp_path).items())
    training.resume(tmp_path / "cut", overrides=["train.max_steps=3"])
    assert all(torch.equal(leaf, leaves(tmp_path, "cut")[key]) for key, leaf in leaves(tmp_path).items())


def test_agents_learn_the_same_side_by_side_as_alone(tmp_path: Path) -> None:
    trained(tmp_path, "recall", "plugins.meta-gradient.options.agents=2", label="two")
    trained(tmp_path, "recall", label="one")
    first = load_file(sorted((tmp_path / "two" / "agents").glob("last-0.safetensors"))[0])
    for key, leaf in leaves(tmp_path, "one").items():
        assert torch.allclose(first[key], leaf, atol=1e-6)


def test_a_trained_agent_begins_a_run(tmp_path: Path) -> None:
    trained(tmp_path, "maze")
    run = aiga.run(
        {
            "run": {"stop": {"iterations": 1}, "workers": 0},
            "population": {
                "domain": "maze",
                "networks": ["backpropamine"],
                "initial_agent": str(tmp_path / "t" / "agents" / "last.safetensors"),
            },
            "slots": {"improve": "a2c"},
            "plugins": {"maze": {}, "backpropamine": {"options": {"units": 50}}, "a2c": {"options": {"episodes": 2}}},
        },
        name="r",
        runs=tmp_path,
    )
    assert len(run.environments) == 1


def test_what_cannot_be_trained_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(aiga.InputError, match=r'validate_on: found "L8"; the domain "maze" has these environments: L7,'):
        trained(tmp_path, "maze", "plugins.a2c.options.validate_on=L8")
    with pytest.raises(aiga.InputError, match=r'validate_on: found "pears"; the domain "recall" has these'):
        trained(tmp_path, "recall", "plugins.meta-gradient.options.validate_on=pears")
    assert not list(tmp_path.iterdir())
