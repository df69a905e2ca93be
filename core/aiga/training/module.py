"""A module for trainers of agents: their leaves as parameters, a loss of the trainer's own, and draws keyed by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from aiga.data import Batch, Leaves
from aiga.streams import Stream

Loss = Callable[[Batch, Stream], Tensor | tuple[Tensor, Mapping[str, Tensor]]]


def draws(count: int) -> DataLoader[int]:
    """A loader of the numbers from 0 to ``count``: an epoch of so many batches, none of which is data.

    Devices that train together share the numbers out. With :class:`AgentsModule` a number is what a batch is drawn from.
    """
    return DataLoader(range(count), batch_size=None)  # type: ignore[arg-type]


class AgentsModule(pl.LightningModule):
    """``P`` agents that learn beside one another, each by the gradient of its own loss.

    A batch is a number (see :func:`draws`), and what is drawn for it comes from a stream keyed by epoch and number: so the
    bits of a training hang neither on a loader's order nor on anything drawn before. ``gradient_clip_val`` bounds the
    gradient of each agent by itself.

    Args:
        agents: ``P`` explicit agents of one kind; see :meth:`aiga.Setup.agents`.
        loss: ``[P]`` losses of the agents on what the stream draws, differentiable in their leaves; or these, and values
            ``[P]`` to log by name. Logged are means over the agents, as ``loss`` and under these names.
        optimiser: made from the parameters; or whatever else ``configure_optimizers`` may return.
        rng: of the trainer; see :meth:`aiga.Setup.rng`.
        validate: as ``loss``, on the same draws at every validation; logged as ``val_loss`` and ``val_NAME``.
        validations: batches of a validation.
    """

    def __init__(
        self,
        agents: Batch,
        loss: Loss,
        optimiser: Callable[[list[nn.Parameter]], Any],
        rng: Stream,
        validate: Loss | None = None,
        validations: int = 1,
    ) -> None:
        super().__init__()
        self._kind, self._ids, self._loss, self._optimiser = agents.kind, agents.ids, loss, optimiser
        self._rng, self._validate, self._validations = rng, validate, validations
        self._slots = {f"leaf_{number}": name for number, name in enumerate(sorted(agents.leaves))}
        for slot, name in self._slots.items():
            leaf = agents.leaves[name].detach().clone()
            if leaf.is_floating_point():
                self.register_parameter(slot, nn.Parameter(leaf))
            else:
                self.register_buffer(slot, leaf)

    @property
    def leaves(self) -> Leaves:
        """The agents' leaves as they are now, ``[P, ...]`` each, by the network's names; gradients flow through them."""
        return {name: getattr(self, slot) for slot, name in self._slots.items()}

    def agents(self) -> Batch:
        """The agents as they are now, apart from any graph."""
        return Batch(self._kind, self._ids, {name: leaf.detach().clone() for name, leaf in self.leaves.items()})

    def training_step(self, batch: int, batch_idx: int) -> Tensor:
        """The sum of the agents' losses: no agent's gradient hangs on how many others there are."""
        loss, values = self._ask(self._loss, self._rng.child("train", self.current_epoch, int(batch)))
        self._tell("", loss, values, on_step=True)
        return loss.sum()

    def validation_step(self, batch: int, batch_idx: int) -> None:
        """Logs what ``validate`` answers."""
        assert self._validate is not None
        loss, values = self._ask(self._validate, self._rng.child("validate", int(batch)))
        self._tell("val_", loss, values, on_step=False)

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
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        norm = torch.stack([gradient.flatten(1).square().sum(dim=1) for gradient in gradients]).sum(dim=0).sqrt()
        scale = (gradient_clip_val / (norm + 1e-6)).clamp(max=1.0)
        for gradient in gradients:
            gradient.mul_(scale.reshape(-1, *[1] * (gradient.ndim - 1)))

    def _ask(self, loss: Loss, stream: Stream) -> tuple[Tensor, Mapping[str, Tensor]]:
        answer = loss(Batch(self._kind, self._ids, self.leaves), stream)
        value, others = answer if isinstance(answer, tuple) else (answer, {})
        if value.shape != self._ids.shape:
            raise ValueError(f"a loss of {len(self._ids)} agents has shape {tuple(value.shape)}; [{len(self._ids)}] is needed")
        return value, others

    def _tell(self, prefix: str, loss: Tensor, values: Mapping[str, Tensor], on_step: bool) -> None:
        for name, value in {"loss": loss, **values}.items():
            mean = value.detach().double().mean()
            # Counted by batches: a number has no length that Lightning could take for one.
            self.log(prefix + name, mean, on_step=on_step, on_epoch=True, prog_bar=True, batch_size=1, sync_dist=not on_step)
