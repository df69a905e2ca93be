"""The module of agents: leaves of any name and type, losses of the right shape, each agent's gradient bounded by itself, and
networks side by side that do not touch one another."""

from __future__ import annotations

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from aiga import Batch, Kind, Population, Stream  # noqa: E402
from aiga.training import AgentsModule  # noqa: E402

LEAVES = {"000.tanh.weight": torch.tensor([[1.0, 2.0], [30.0, 40.0]]), "age": torch.tensor([[3], [4]])}
MLP = Batch.of(Kind("mlp", {"version": 1}), LEAVES)
RNN = Batch.of(Kind("rnn", {"version": 1}), {"weight": torch.tensor([[6.0, 8.0]])})


def square(agents: Batch, stream: Stream) -> Tensor:
    (leaf,) = (leaf for leaf in agents.leaves.values() if leaf.is_floating_point())
    return leaf.square().sum(dim=1) / 2


class Telling(AgentsModule):
    """Keeps what it logs."""

    def log(self, name: str, value: object, **_: object) -> None:  # type: ignore[override]
        self.__dict__.setdefault("told", {})[name] = float(value)  # type: ignore[arg-type]


def module(*batches: Batch) -> Telling:
    agents = Population(batches) if batches else MLP
    return Telling(agents, square, lambda parameters: torch.optim.SGD(parameters, lr=1.0), Stream(1))


def step(learner: AgentsModule) -> None:
    learner._ask("", learner._loss, Stream(1), on_step=True).backward()


def gradients(learner: AgentsModule) -> list[Tensor]:
    return [parameter.grad for parameter in learner.parameters() if parameter.grad is not None]


def test_agents_come_out_as_they_went_in() -> None:
    (agents,) = module().agents().batches
    assert agents.kind == Kind("mlp", {"version": 1})
    assert agents.leaves.keys() == LEAVES.keys()
    assert all(torch.equal(agents.leaves[name], leaf) for name, leaf in LEAVES.items())
    assert not any(leaf.requires_grad for leaf in agents.leaves.values())


def test_whole_numbers_are_no_parameters() -> None:
    assert sum(parameter.numel() for parameter in module().parameters()) == 4
    assert module().learning.batches[0].leaves["000.tanh.weight"].requires_grad


def test_agents_of_several_networks_come_out_as_they_went_in() -> None:
    agents = module(RNN, MLP).agents()
    assert [batch.kind.component for batch in agents.batches] == ["rnn", "mlp"]
    assert torch.equal(agents.hashes, Population((RNN, MLP)).hashes)


def test_a_gradient_is_bounded_agent_by_agent() -> None:
    learner = module()
    step(learner)
    learner.configure_gradient_clipping(learner.configure_optimizers(), 5.0, "norm")
    # The first agent's, of length sqrt(5), is left alone; the second's, of length 50, is shortened to 5.
    torch.testing.assert_close(gradients(learner)[0], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


def test_a_gradient_is_bounded_network_by_network() -> None:
    learner = module(MLP, RNN)
    step(learner)
    learner.configure_gradient_clipping(learner.configure_optimizers(), 5.0, "norm")
    torch.testing.assert_close(gradients(learner)[0], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    torch.testing.assert_close(gradients(learner)[1], torch.tensor([[3.0, 4.0]]))


def test_several_networks_are_logged_each_by_its_name_and_one_by_none() -> None:
    learner = module(MLP, RNN)
    step(learner)
    assert learner.told == {"loss/mlp": 626.25, "loss/rnn": 50.0, "loss": 338.125}
    alone = module()
    step(alone)
    assert alone.told == {"loss": 626.25}


def test_losses_of_lives_are_averaged_over_each_agent() -> None:
    def lived(agents: Batch, stream: Stream) -> Tensor:
        return square(agents, stream).repeat_interleave(3) * torch.tensor([0.0, 1.0, 2.0]).repeat(len(agents))

    learner = Telling(MLP, lived, lambda parameters: torch.optim.SGD(parameters, lr=1.0), Stream(1))
    step(learner)
    torch.testing.assert_close(gradients(learner)[0], LEAVES["000.tanh.weight"])


def test_a_loss_that_is_not_one_an_agent_is_refused() -> None:
    learner = module()
    learner._loss = lambda agents, stream: square(agents, stream).mean()
    with pytest.raises(ValueError, match=r"a loss of 2 agents has shape \(\); \[2\] is needed"):
        step(learner)


def test_two_batches_of_one_network_are_refused() -> None:
    other = Batch.of(Kind("mlp", {"version": 1, "units": 3}), LEAVES)
    with pytest.raises(ValueError, match="one batch a network"):
        module(MLP, other)
