"""The trainers ``a2c`` and ``meta-gradient`` under ``aiga train``, and the example of each experiment."""

from __future__ import annotations

import json
import math
import tomllib
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

BARE = """
import pytorch_lightning as pl
import torch

import aiga


class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))

    def training_step(self, batch, number):
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


class Bare(aiga.Plugin):
    name = "bare"

    def aiga_register(self, registry):
        registry.trainer("bare", self)

    def make(self, setup):
        return Module(), torch.utils.data.DataLoader(torch.zeros(4, 1))
"""


def trained(folder: Path, name: str, *overrides: str, label: str = "t") -> Any:
    """Three steps of one agent of an example's first network, or as ``overrides`` say."""
    example = tomllib.loads((EXAMPLES / f"{name}.toml").read_text())
    one = [f'population.networks=["{example["population"]["networks"][0]}"]']
    one += [f"plugins.{example['train']['trainer']}.options.agents=1"]
    stop = ["train.max_steps=3", "train.log_every_n_steps=1", "train.accelerator=cpu"]
    path = EXAMPLES / f"{name}.toml"
    return training.train(path, name=label, runs=folder, overrides=[*stop, *one, *SMALL.get(name, ()), *overrides])


def leaves(folder: Path, label: str = "t") -> dict[str, torch.Tensor]:
    return load_file(folder / label / "agents" / "last.safetensors")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_example_names_what_there_is_and_the_command_that_runs_it(path: Path) -> None:
    from aiga import experiment
    from aiga.training import assembly

    verb, prepare = ("run", experiment.prepare) if path.stem.startswith("poet_") else ("train", assembly.prepare)
    prepare(path)
    assert f"#     aiga {verb} examples/learners/{path.name}\n" in path.read_text()


@pytest.mark.parametrize(
    "path", sorted(set(EXAMPLES.glob("*.toml")) - set(EXAMPLES.glob("poet_*"))), ids=lambda path: path.stem
)
def test_controls_are_as_large_as_what_they_are_compared_with(path: Path) -> None:
    from aiga.training.assembly import prepare

    _, made = prepare(path)
    assert made.config.population is not None
    domain = made.components.get("domain", made.config.population.domain)
    sizes = []
    for name in made.config.population.networks:
        if "-gate-" in name:  # the network itself with a part of it taken away
            continue
        network = made.components.get("network", name)
        layout = network.build(network.structure, domain.inputs, domain.outputs)
        sizes.append(sum(math.prod(shape) for shape in layout.values()))
    assert all(abs(size / sizes[0] - 1.0) < 0.02 for size in sizes), sizes


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


@pytest.mark.parametrize(("name", "first", "others"), [("recall", "plastic", ["rnn", "lstm"]), ("maze", "rnn", ["lstm"])])
def test_a_network_learns_the_same_beside_others_as_alone(name: str, first: str, others: list[str], tmp_path: Path) -> None:
    clipped = "train.gradient_clip_val=0.1"
    trained(tmp_path, name, f'population.networks=["{first}"]', clipped, label="alone")
    several = [first, *others]
    trained(tmp_path, name, f"population.networks={json.dumps(several)}", clipped, label="beside")
    trained(tmp_path, name, f"population.networks={json.dumps(several[::-1])}", clipped, label="reversed")
    for label in ("beside", "reversed"):
        files = {path.stem: load_file(path) for path in (tmp_path / label / "agents").glob("*.safetensors")}
        assert files.keys() == {f"last-{network}" for network in several}
        alone = leaves(tmp_path, "alone")
        assert alone.keys() == files[f"last-{first}"].keys()
        assert all(torch.equal(leaf, files[f"last-{first}"][key]) for key, leaf in alone.items())


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
    with pytest.raises(
        aiga.InputError, match=r'validate_on=L8: "L8" is no named environment of the domain "maze"\. There are: "L7",'
    ):
        trained(tmp_path, "maze", "plugins.a2c.options.validate_on=L8")
    with pytest.raises(aiga.InputError, match=r'"pairs" is no named .* "recall"\. Did you mean "pair"\?'):
        trained(tmp_path, "recall", "plugins.meta-gradient.options.validate_on=pairs")
    assert not list(tmp_path.iterdir())


def test_a_trainer_that_begins_from_no_agent_refuses_one(tmp_path: Path) -> None:
    trained(tmp_path, "recall", "train.max_steps=1", label="first")
    agent = tmp_path / "first" / "agents" / "last.safetensors"
    start = f"population.initial_agent={agent}"
    trained(tmp_path, "recall", "train.max_steps=1", start, label="second")
    file = tmp_path / "bare.py"
    file.write_text(BARE)
    bare = ["train.trainer=bare", f"plugins.bare.path={file}"]
    with pytest.raises(aiga.InputError, match=r'initial_agent.*: the trainer "bare" begins from no agent\. Leave it out\.'):
        trained(tmp_path, "recall", *bare, start, label="third")
    assert not (tmp_path / "third").exists()


def test_a2c_is_refused_where_there_is_nothing_to_choose(tmp_path: Path) -> None:
    with pytest.raises(aiga.InputError, match='needs actions to choose from, and "recall" has none'):
        trained(tmp_path, "recall", "train.trainer=a2c", "plugins.a2c={}")
    assert not (tmp_path / "t").exists()


def test_agents_that_are_no_numbers_any_more_are_told_of(tmp_path: Path) -> None:
    trained(tmp_path, "recall", "plugins.meta-gradient.options.lr=1e30")
    complaints = training.open(tmp_path / "t").operations("complaint")["text"].tolist()
    assert any("1 of 1 agents hold numbers that are not finite: last.safetensors" in text for text in complaints)
