"""What tests of searches share: a run over small perceptrons on digits that takes a second, and optimisers to break it with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import support
import torch

from aiga import Stream
from aiga.data import Population
from aiga_architectures import Perceptron, PerceptronNetwork
from aiga_digits.domain import DigitsDomain
from aiga_search.site import Residents, Site

CONFIG: dict[str, Any] = {
    "run": {"seed": 3, "checkpoint_every": 2, "workers": 0, "episodes": 1, "confirmations": 1, "stop": {"iterations": 6}},
    "population": {"domain": "digits", "networks": ["perceptron"], "niches": 1},
    "slots": {"select": "regularised-evolution", "improve": "none"},
    "plugins": {
        "digits": {"options": {"batch": 16, "asked": 50}},
        "perceptron": {"options": {"widths": [4, 12], "depths": [1, 2], "activations": ["relu", "tanh"]}},
        "meta-gradient": {"options": {"lr": 0.03}},
    },
}
OWN: dict[str, dict[str, Any]] = {
    "random-search": {"best": 4},
    "regularised-evolution": {"population": 6, "sample": 3, "crossover": 0.5},
    "tpe": {"best": 4, "startup": 6},
}
NAMES = tuple(OWN)


def search(name: str, plugins: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """The configuration of one search, three architectures an iteration, three steps each."""
    own = {"options": {"batch": 3, "steps": 3, **OWN[name], **options}}
    return support.merge(CONFIG, {"slots": {"select": name}, "plugins": {name: own, **(plugins or {})}})


def optimiser(folder: Path, name: str, body: str) -> dict[str, Any]:
    """The table of a plugin whose optimiser of this name makes ``leaf`` of each leaf by ``body``, ``row`` being its number."""
    text = f"""
        def aiga_register(self, registry):
            registry.optimiser("{name}", Broken())
    """
    head = f"""
        from dataclasses import replace


        class Broken:
            calls = 0

            def start(self, agents):
                return {{}}

            def improve(self, lab, niches, state, steps):
                batches = []
                for batch in niches.agents.batches:
                    row = torch.arange(len(batch))
                    leaves = {{name: {body} for name, leaf in batch.leaves.items()}}
                    batches.append(replace(batch, leaves=leaves))
                return aiga.Population(tuple(batches)), state
    """
    return support.plugin(folder, name, text, head)


def network(**options: Any) -> PerceptronNetwork:
    return PerceptronNetwork(Perceptron.Options(**options))


def site(**options: Any) -> Site:
    """The plain task of digits."""
    envs = DigitsDomain().named("all").with_ids(torch.tensor([0]))
    return Site("perceptron", network(**options), Population((envs,)), torch.device("cpu"))


def residents(here: Site, scores: list[float]) -> Residents:
    """Random architectures with these scores, the first the oldest."""
    count = len(scores)
    structures = here.space.initial(Stream(9), count)
    return Residents(structures, torch.arange(count) + 1, torch.tensor(scores).double(), torch.arange(count) + 100)


def born(here: Site, hidden: list[list[int]]) -> Population:
    """A newborn perceptron of each of these widths."""
    structures = [{**here.network.structure, "hidden": widths} for widths in hidden]
    agents, order = here.newborns(Stream(5).rows(torch.arange(len(hidden))), DigitsDomain(), structures)
    return agents.in_order(order)
