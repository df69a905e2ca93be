"""Two trainers that take milliseconds a step: agents of the domain ``points``, and a plain module of Lightning's with all its
hooks at work."""

from __future__ import annotations

import time
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

import aiga


class LearnersOptions(aiga.Options):
    """Options of ``learners``.

    Attributes:
        agents: how many agents learn.
        epoch: draws of an epoch.
        fail_at: a step in which the module raises.
        pause: seconds that a batch takes.
        validated: whether agents are validated.
        odd: keep in checkpoints what they cannot hold.
        wrong: what ``make`` does instead of making something.
        data: of the plain module.
        schedule: of its learning rate.
        manual: it steps two optimisers by hand.
    """

    agents: int = Field(default=2, ge=1)
    epoch: int = Field(default=10, ge=1)
    fail_at: int | None = None
    pause: float = 0.0
    validated: bool = True
    odd: bool = False
    wrong: Literal["", "raise", "refuse", "nothing"] = ""
    data: Literal["map", "own", "stream"] = "map"
    schedule: Literal["epoch", "step", "plateau"] = "epoch"
    manual: bool = False


class Reach:
    """Agents learn to answer with the point that they see."""

    def __init__(self, options: LearnersOptions) -> None:
        self.options = options

    def make(self, setup: aiga.Setup) -> tuple[Any, Any]:
        from aiga.training import AgentsModule, draws

        options = self.options
        if options.wrong == "raise":
            raise ValueError("as asked")
        if options.wrong == "refuse":
            raise aiga.InputError("learners: cannot teach that. Teach something else.")
        if options.wrong == "nothing":
            return None  # type: ignore[return-value]
        agents = setup.agents(options.agents)

        class Module(AgentsModule):
            def on_train_batch_start(self, batch: int, batch_idx: int) -> None:
                time.sleep(options.pause)
                if self.global_step == options.fail_at:
                    raise ValueError("as asked")

            def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
                if options.odd:
                    checkpoint["kept"] = {"here": [1, object()]}

        def loss(agents: aiga.Batch, stream: aiga.Stream) -> tuple[Tensor, dict[str, Tensor]]:
            count, shown, network = len(agents), 8, setup.component("network", agents.kind.component)
            seen = stream.uniform(shown, 2, low=-1.0, high=1.0).float().repeat(count, 1)
            leaves = {name: leaf.repeat_interleave(shown, dim=0) for name, leaf in agents.leaves.items()}
            output, _ = network.step(leaves, network.newborn(leaves), aiga.Percept(seen))
            miss = (output.action - seen).square().sum(dim=1)
            return miss, {"far": miss.sqrt()}

        def optimiser(parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(parameters, lr=0.02)

        module = Module(agents, loss, optimiser, setup.rng(), validate=loss if options.validated else None)
        return module, draws(options.epoch)

    def agents(self, module: Any) -> aiga.Population:
        return module.agents()  # type: ignore[no-any-return]


class Plain:
    """A module of Lightning's own kind: dropout, batch norm, an average of weights, a schedule, shuffled data."""

    def __init__(self, options: LearnersOptions) -> None:
        self.options = options

    def make(self, setup: aiga.Setup) -> tuple[Any, Any]:
        import pytorch_lightning as pl
        from torch.optim import SGD, Adam
        from torch.optim.lr_scheduler import CosineAnnealingLR, ReduceLROnPlateau, StepLR
        from torch.utils.data import DataLoader, IterableDataset, TensorDataset

        options = self.options

        class Module(pl.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.automatic_optimization = not options.manual
                self.net = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Dropout(0.3), nn.Linear(6, 1))
                self.register_buffer("average", torch.zeros(6, 3))
                self.register_buffer("calls", torch.zeros(4))

            def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
                loss = (self.net(batch[0]) - batch[1]).square().mean()
                self.log("loss", loss, on_step=True, on_epoch=True)
                self.log("worst", loss, on_step=False, on_epoch=True, reduce_fx="max")
                if not options.manual:
                    return loss
                for optimiser in self.optimizers():  # type: ignore[union-attr]
                    optimiser.zero_grad()
                self.manual_backward(loss)
                for optimiser in self.optimizers():  # type: ignore[union-attr]
                    optimiser.step()
                return None

            def validation_step(self, batch: Any, batch_idx: int) -> None:
                self.log("val_loss", (self.net(batch[0]) - batch[1]).square().mean() + 0.001 * torch.rand(()))

            def on_train_batch_end(self, *_: Any) -> None:
                self.average.mul_(0.9).add_(0.1 * self.net[0].weight.detach())  # type: ignore[operator,arg-type]
                self.calls[0] += torch.rand(())  # type: ignore[index]

            def on_validation_end(self) -> None:
                if not self.trainer.sanity_checking:
                    self.calls[1] += torch.rand(())  # type: ignore[index]

            def on_train_epoch_start(self) -> None:
                self.calls[2] += torch.rand(())  # type: ignore[index]

            def on_train_epoch_end(self) -> None:
                self.calls[3] += torch.rand(())  # type: ignore[index]

            def configure_optimizers(self) -> Any:
                if options.manual:
                    return [Adam(self.net[0].parameters(), 0.01), SGD(self.net[3].parameters(), 0.01, momentum=0.9)]
                optimiser = Adam(self.net.parameters(), 0.01)
                if options.schedule == "plateau":
                    plateau = ReduceLROnPlateau(optimiser, patience=0, factor=0.9)
                    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": plateau, "monitor": "loss_epoch"}}
                if options.schedule == "step":
                    schedule = CosineAnnealingLR(optimiser, 20)
                    return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
                return {"optimizer": optimiser, "lr_scheduler": StepLR(optimiser, 2, 0.5)}

            def val_dataloader(self) -> Any:
                return DataLoader(TensorDataset(x[:8], y[:8]), batch_size=4)

        x = torch.randn(28, 3)
        y = x.sum(dim=1, keepdim=True)

        class Endless(IterableDataset):  # type: ignore[type-arg]
            def __iter__(self) -> Any:
                for _ in range(7):
                    seen = torch.randn(4, 3)
                    yield seen, seen.sum(dim=1, keepdim=True)

        if options.data == "stream":
            return Module(), DataLoader(Endless(), batch_size=None)
        generator = torch.Generator().manual_seed(5) if options.data == "own" else None
        return Module(), DataLoader(TensorDataset(x, y), batch_size=4, shuffle=True, generator=generator)


class Learners(aiga.Plugin):
    """Registers both."""

    name = "learners"
    Options = LearnersOptions
    options: LearnersOptions

    def notice(self) -> list[str]:
        return ["what they learn means nothing"]

    def aiga_register(self, registry: aiga.Registry) -> None:
        registry.trainer("reach", Reach(self.options))
        registry.trainer("plain", Plain(self.options))
