"""What a training's configuration stands for: plugins, components, and what the trainer is told; everything checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from aiga import config as configs
from aiga import discovery, keeping
from aiga.complaints import Complaints, Source, did_you_mean
from aiga.config import ConfigError, TrainConfig
from aiga.data import Batch, Kind, Population
from aiga.errors import InputError
from aiga.founding import agent_file, check_initial_agent, check_networks, read_agent
from aiga.host import Host
from aiga.machine import cores
from aiga.meter import Meter
from aiga.registry import Components
from aiga.resuming import paths
from aiga.streams import Stream, derive
from aiga.tables import PopulationTable, TrainTable

if TYPE_CHECKING:
    from aiga.components import Domain, Network
    from aiga.hooks import Plugin


@dataclass(frozen=True)
class TrainingSetup:
    """The :class:`aiga.Setup` of one training.

    Attributes:
        trainer: name of the component that is set up.
        base: the folder that the path of an initial agent starts from.
        source: of the configuration, for complaints.
        begun: names of the networks whose agents the trainer took, as often as it did.
    """

    trainer: str
    seed: int
    device: str
    path: Path
    registry: Components
    population: PopulationTable | None
    base: Path
    source: Source
    begun: list[str] = field(default_factory=list)

    @property
    def domain(self) -> Domain | None:
        return None if self.population is None else self.registry.get("domain", self.population.domain)

    @property
    def domain_name(self) -> str:
        return "" if self.population is None else self.population.domain

    @property
    def networks(self) -> tuple[str, ...]:
        return () if self.population is None else self.population.networks

    def component(self, kind: str, name: str) -> Any:
        """A registered component; KeyError names what there is."""
        return self.registry.get(kind, name)

    def rng(self, *key: int | str) -> Stream:
        """A stream of the trainer's own, named by ``key``."""
        return Stream(derive(self.seed, "trainer", self.trainer, *key))

    def agents(self, count: int) -> Population:
        """``count`` agents of each network to train; see :class:`aiga.Setup`."""
        domain, population = self.domain, self.population
        if domain is None or population is None:
            what = f'[population]: missing, and the trainer "{self.trainer}" needs one. Write a table with domain and networks.'
            raise InputError(what)
        self.begun.extend(population.networks)
        return Population(tuple(self._newborn(name, domain, population, count) for name in population.networks))

    def named(self, environment: str, option: str) -> Batch:
        """The environment of this name; see :class:`aiga.Setup`."""
        domain: Any = self.domain
        names = tuple(getattr(domain, "names", ()))
        if environment not in names:
            complaints, plugin = Complaints(self.source), self.registry.owner("trainer", self.trainer)
            there = f'of the domain "{self.domain_name}"' if self.domain_name else "without a domain"
            remedy = did_you_mean(environment, names, quote='"') if names else "There are none. Leave it out."
            what = f'"{environment}" is no named environment {there}. {remedy}'
            complaints.add(("plugins", plugin, "options", option), what)
            complaints.check()
        return domain.named(environment)  # type: ignore[no-any-return]

    def _newborn(self, name: str, domain: Domain, population: PopulationTable, count: int) -> Batch:
        made: Network = self.component("network", name)
        layout = made.build(made.structure, domain.inputs, domain.outputs)
        if population.initial_agent is None:
            leaves = made.init(self.rng("agents", name), layout, count)
        else:
            one = read_agent(agent_file(population.initial_agent, domain, self.base), layout, name)
            leaves = {leaf: value.expand(count, *value.shape[1:]).clone() for leaf, value in one.items()}
        return Batch.of(Kind(name, dict(made.structure)), leaves)


@dataclass(frozen=True)
class Assembled:
    """What ``aiga train`` trains, everything checked.

    Attributes:
        config: every plugin in call order, every option with its value.
        plugin: that brought the trainer.
    """

    config: TrainConfig
    sources: list[discovery.PluginSource]
    plugins: list[Plugin]
    components: Components
    device: str

    @property
    def plugin(self) -> str:
        return self.components.owner("trainer", self.config.train.trainer)

    @property
    def trainer(self) -> Any:
        """The component."""
        return self.components.get("trainer", self.config.train.trainer)

    @property
    def paths(self) -> dict[str, str]:
        """By which way the domain lives with each network, and with which data, where it tells."""
        return {} if self.config.population is None else paths(self.components, self.config.population)

    @property
    def lock(self) -> str:
        """JSON: origin, versions and hashes of every plugin."""
        return keeping.lock_text(self.sources, self.plugins)

    def setup(self, path: Path) -> TrainingSetup:
        """What the trainer is told of a training in the folder ``path``."""
        train, population, base = self.config.train, self.config.population, self.config.base
        seed, source = self.config.run.seed, self.config.source
        return TrainingSetup(train.trainer, seed, self.device, path, self.components, population, base, source)


def prepare(config: Path | str | Mapping[str, Any], overrides: Sequence[str] = ()) -> tuple[TrainConfig, Assembled]:
    """The configuration of a training that is to start, and what it stands for, everything checked; writes nothing.

    Raises:
        InputError: with every mistake found, from the first table to the last component.
    """
    try:
        if isinstance(config, Mapping):
            given = configs.of(TrainConfig, config, overrides=overrides)
        else:
            given = configs.read(TrainConfig, Path(config), overrides)
        complaints = Complaints(given.source)
    except ConfigError as error:
        if not isinstance(error.rest, TrainConfig):
            raise
        given, complaints = error.rest, error.complaints
    return given, assemble(given, complaints, new=True)


def assemble(config: TrainConfig, complaints: Complaints, new: bool = False) -> Assembled:
    """What ``config`` stands for; ``new`` if a training is to start from it.

    Raises:
        InputError: with what ``complaints`` holds and every further mistake.
    """
    found = discovery.gather(config, complaints)
    components, population = found.components, config.population
    domain = None if population is None else components.all("domain").get(population.domain)
    if new:
        discovery.check_shadows(config, complaints)
    if population is not None and domain is not None and set(population.networks) <= set(components.names("network")):
        with complaints.collecting(("population", "networks")):
            check_networks(components, population)
        with complaints.collecting(("population", "initial_agent")):
            check_initial_agent(components, population, config.base)
    with complaints.collecting():
        Host(found.plugins, Meter())  # complains of hooks that there are not
    device = _device(config.train, complaints)
    if new and domain is not None and hasattr(domain, "check"):
        with complaints.collecting(("population", "domain")):
            domain.check()
    complaints.check()
    workers = cores() if config.run.workers == "auto" else config.run.workers
    if domain is not None and hasattr(domain, "configure"):
        domain.configure(threads=max(1, workers))
    resolved = discovery.resolve(config, found.sources, found.plugins)
    return Assembled(resolved, found.sources, found.plugins, components, device)


def _device(train: TrainTable, complaints: Complaints) -> str:
    """What the module will be trained on; complains of what is not there, and of what it cannot do."""
    there = {"cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0}
    there["mps"] = int(torch.backends.mps.is_available())
    graphics = next((kind for kind, count in there.items() if count), None)
    device = {"auto": graphics or "cpu", "gpu": graphics}.get(train.accelerator, train.accelerator)
    if device is None or there.get(device) == 0:
        found = f"{there['cuda']} CUDA devices"
        what = f'there is no "{train.accelerator}" on this machine ({found}). Write "auto" or "cpu".'
        complaints.add(("train", "accelerator"), what)
        return "cpu"
    devices, place = train.devices, ("train", "devices")
    if device == "cpu" and isinstance(devices, tuple):
        complaints.add(place, "the CPU has no numbered devices. Write how many processes shall train, such as 1.")
    elif device != "cpu" and devices != "auto":
        wanted = devices if isinstance(devices, tuple) else tuple(range(devices))
        if len(set(wanted)) < len(wanted):
            complaints.add(place, "names a device twice. Name each once.")
        elif max(wanted) >= there[device]:
            complaints.add(place, f'there are {there[device]} devices of kind "{device}". Name no more, or write "auto".')
    if device == "cpu" and train.precision == "16-mixed":
        complaints.add(("train", "precision"), '"16-mixed" needs a GPU. Write "bf16-mixed" or "32-true".')
    return device
