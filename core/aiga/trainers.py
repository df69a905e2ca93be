"""What a plugin provides for ``aiga train``: a module and its data, made from what the configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from aiga.data import Batch, Population
from aiga.streams import Stream

if TYPE_CHECKING:
    from pytorch_lightning import LightningModule

    from aiga.components import Domain


class Setup(Protocol):
    """What a trainer sees of the training that it is asked for.

    Attributes:
        seed: ``[run] seed``; everything random hangs on it.
        domain: that of ``[population]``; None where the configuration has no such table.
        domain_name: under which it is registered; empty where there is none.
        networks: names of the networks in ``[population]``, in order; empty where there are none.
        device: where Lightning will put the module: ``cpu``, ``cuda`` or ``mps``.
        path: the training's folder, for files of its own. It is not there yet when the module is made.
    """

    @property
    def seed(self) -> int: ...
    @property
    def domain(self) -> Domain | None: ...
    @property
    def domain_name(self) -> str: ...
    @property
    def networks(self) -> tuple[str, ...]: ...
    @property
    def device(self) -> str: ...
    @property
    def path(self) -> Path: ...

    def component(self, kind: str, name: str) -> Any:
        """A registered component; KeyError names what there is."""
        ...

    def rng(self, *key: int | str) -> Stream:
        """A stream of the trainer's own, named by ``key``; the same in every stretch of a training."""
        ...

    def agents(self, count: int) -> Population:
        """Agents to train, on the host: newborn, or all ``[population] initial_agent`` where there is one.

        Args:
            count: how many of each of ``networks``; one batch a network, in order. What is drawn for one network does not hang
                on which others there are.

        Raises:
            InputError: if ``[population]`` names no domain and network.
        """
        ...

    def named(self, environment: str, option: str) -> Batch:
        """The environment of this name, where an option of the trainer's plugin asks for one.

        Args:
            environment: one of the domain's ``names``.
            option: that holds the name, for complaints.

        Raises:
            InputError: if the domain has no such environment; says which it has.
        """
        ...


class Trainer(Protocol):
    """Makes what ``aiga train`` trains. The core knows no algorithm: what is learnt, and how, is the module's alone.

    Capabilities: ``agents(module) -> Batch | Population``, the trained agents, explicit, one batch a network. Each becomes a
    safetensors file in the training's folder, from which ``[population] initial_agent`` of a run can start; and they are what
    the domain's ``report`` compares. ``files(module) -> Mapping[str, bytes]``, what else came of it, by names such as
    ``samples.png`` and ``teacher.safetensors``: written to ``files/`` there when a training ends, and to ``files/best/`` where
    early stopping finds it better than ever.
    """

    def make(self, setup: Setup) -> tuple[LightningModule, Any]:
        """The module, and its data.

        Called once in every stretch of a training, a resumed one too, before anything is written; the module's state is
        loaded afterwards. Python's, NumPy's and torch's generators are seeded, so that parameters drawn from them repeat.

        Returns:
            A ``LightningModule``; and a loader of training batches, a ``LightningDataModule``, or None where the module has
            the loaders itself.
        """
        ...
