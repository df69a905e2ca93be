"""A module for trainers of agents: their leaves as parameters, a loss of the trainer's own, and draws keyed by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from aiga.data import Batch, Kind, Population
from aiga.streams import Stream

Loss = Callable[[Batch, Stream], Tensor | tuple[Tensor, Mapping[str, Tensor]]]


class _Group(NamedTuple):
    """Agents of one kind: their ids, and by leaf the name of the parameter or buffer that holds it."""

    kind: Kind
    ids: Tensor
    slots: Mapping[str, str]


def draws(count: int) -> DataLoader[int]:
    """A loader of the numbers from 0 to ``count``: an epoch of so many batches, none of which is data.

    Devices that train together share the numbers out. With :class:`AgentsModule` a number is what a batch is drawn from.
    """
    return DataLoader(range(count), batch_size=None)  # type: ignore[arg-type]


class AgentsModule(pl.LightningModule):
    """Agents that learn beside one another, each by the gradient of its own loss; of one network, or of several.

    A batch is a number (see :func:`draws`), and what is drawn for it comes from a stream keyed by epoch and number: so the
    bits of a training hang neither on a loader's order nor on anything drawn before. Agents of all networks are given the same
    stream, and meet the same chance where they draw alike; none hangs on which others there are. ``gradient_clip_val`` bounds
    the gradient of each agent by itself.

    What is logged are means over agents: ``loss`` and what else the loss tells, by name. Of several networks, each has its own
    under ``NAME/NETWORK``, and ``loss`` is the mean over the networks.

    Args:
        agents: explicit ones, one batch a network; see :meth:`aiga.Setup.agents`.
        loss: asked for the ``P`` agents of each network by themselves (``agents.kind.component`` names it): ``[P]`` losses on
            what the stream draws, differentiable in their leaves, or ``[P * E]`` of ``E`` lives each, an agent's one after
            another; or these, and values of such a shape to log by name.
        optimiser: made from the parameters; or whatever else ``configure_optimizers`` may return.
        rng: of the trainer; see :meth:`aiga.Setup.rng`.
        validate: as ``loss``, on the same draws at every validation; logged as ``val_loss`` and ``val_NAME``.
        validations: batches of a validation.

    Raises:
        ValueError: if agents are implicit, or two batches are of one network.
    """

    def __init__(
        self,
        agents: Batch | Population,
        loss: Loss,
        optimiser: Callable[[list[nn.Parameter]], Any],
        rng: Stream,
        validate: Loss | None = None,
        validations: int = 1,
    ) -> None:
        super().__init__()
        self._loss, self._optimiser = loss, optimiser
        self._rng, self._validate, self._validations = rng, validate, validations
        batches = (Population((agents,)) if isinstance(agents, Batch) else agents).explicit_kinds()
        if len({batch.kind.component for batch in batches}) < len(batches):
            raise ValueError("agents that are trained side by side must be one batch a network")
        self._groups, number = list[_Group](), 0
        for batch in batches:
            slots = {name: f"leaf_{number + place}" for place, name in enumerate(sorted(batch.leaves))}
            number += len(slots)
            self._groups.append(_Group(batch.kind, batch.ids, slots))
            for name, slot in slots.items():
                leaf = batch.leaves[name].detach().clone()
                if leaf.is_floating_point():
                    self.register_parameter(slot, nn.Parameter(leaf))
                else:
                    self.register_buffer(slot, leaf)

    @property
    def learning(self) -> Population:
        """The agents as they are now; gradients flow through their leaves."""
        held = [(kind, ids, {name: getattr(self, slot) for name, slot in slots.items()}) for kind, ids, slots in self._groups]
        return Population(tuple(Batch(*each) for each in held))

    def agents(self) -> Population:
        """The agents as they are now, apart from any graph; one batch a network."""
        return Population(
            tuple(
                Batch(batch.kind, batch.ids, {name: leaf.detach().clone() for name, leaf in batch.leaves.items()})
                for batch in self.learning.batches
            )
        )

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """The sum of the agents' losses: no agent's gradient hangs on how many others there are."""
        return self._ask("", self._loss, self._rng.child("train", self.current_epoch, int(batch)), on_step=True)

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Logs what ``validate`` answers."""
        assert self._validate is not None
        self._ask("val_", self._validate, self._rng.child("validate", int(batch)), on_step=False)

    def val_dataloader(self) -> Any:
        """The draws of a validation; none where there is nothing to validate."""
        return [] if self._validate is None else draws(self._validations)

    def configure_optimizers(self) -> Any:
        """What ``optimiser`` makes."""
        return self._optimiser(list(self.parameters()))

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Bounds each agent's gradient by itself."""
        if gradient_clip_val is None or gradient_clip_algorithm == "value":
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)
            return
        for group in self._groups:
            leaves = [getattr(self, slot) for slot in group.slots.values()]
            gradients = [leaf.grad for leaf in leaves if leaf.grad is not None]
            if not gradients:
                continue
            rows = [gradient.reshape(len(gradient), -1) for gradient in gradients]
            norm = torch.stack([row.square().sum(dim=1) for row in rows]).sum(dim=0).sqrt()
            scale = (gradient_clip_val / (norm + 1e-6)).clamp(max=1.0)
            for gradient in gradients:
                gradient.mul_(scale.reshape(-1, *[1] * (gradient.ndim - 1)))

    def _ask(self, prefix: str, loss: Loss, stream: Stream, on_step: bool) -> Tensor:
        """The sum of all agents' losses; logs what there is to log."""
        total, means = list[Tensor](), list[Tensor]()
        for batch in self.learning.batches:
            answer = loss(batch, stream)
            value, others = answer if isinstance(answer, tuple) else (answer, {})
            value = _each(value, len(batch))
            total.append(value.sum())
            means.append(value.detach().double().mean())
            of = f"/{batch.kind.component}" if len(self._groups) > 1 else ""
            self._tell(f"{prefix}loss{of}", means[-1], on_step)
            for name, other in others.items():
                self._tell(f"{prefix}{name}{of}", other.detach().double().mean(), on_step)
        if len(means) > 1:
            self._tell(f"{prefix}loss", torch.stack(means).mean(), on_step)
        return torch.stack(total).sum()

    def _tell(self, name: str, mean: Tensor, on_step: bool) -> None:
        # Counted by batches: a number has no length that Lightning could take for one. A bar has no room for every network.
        bar = "/" not in name
        self.log(name, mean, on_step=on_step, on_epoch=True, prog_bar=bar, batch_size=1, sync_dist=not on_step)


def _each(loss: Tensor, agents: int) -> Tensor:
    """``[P]`` means over the lives of each agent."""
    if loss.ndim != 1 or not len(loss) or len(loss) % agents:
        shape = tuple(loss.shape)
        raise ValueError(f"a loss of {agents} agents has shape {shape}; [{agents}] is needed, or as many for each of them")
    return loss.reshape(agents, -1).mean(dim=1)
