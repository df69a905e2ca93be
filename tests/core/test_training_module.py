"""The module of agents: leaves of any name and type, losses of the right shape, each agent's gradient bounded by itself."""

from __future__ import annotations

import pytest

pl = pytest.importorskip("pytorch_lightning")

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from aiga import Batch, Kind, Stream  # noqa: E402
from aiga.training import AgentsModule  # noqa: E402

LEAVES = {"000.tanh.weight": torch.tensor([[1.0, 2.0], [30.0, 40.0]]), "age": torch.tensor([[3], [4]])}


def square(agents: Batch, stream: Stream) -> Tensor:
    return agents.leaves["000.tanh.weight"].square().sum(dim=1) / 2


def module() -> AgentsModule:
    agents = Batch.of(Kind("mlp", {"version": 1}), LEAVES)
    return AgentsModule(agents, square, lambda parameters: torch.optim.SGD(parameters, lr=1.0), Stream(1))


def test_agents_come_out_as_they_went_in() -> None:
    agents = module().agents()
    assert agents.kind == Kind("mlp", {"version": 1})
    assert agents.leaves.keys() == LEAVES.keys()
    assert all(torch.equal(agents.leaves[name], leaf) for name, leaf in LEAVES.items())
    assert not any(leaf.requires_grad for leaf in agents.leaves.values())


def test_whole_numbers_are_no_parameters() -> None:
    assert sum(parameter.numel() for parameter in module().parameters()) == 4
    assert module().leaves["000.tanh.weight"].requires_grad


def test_a_gradient_is_bounded_agent_by_agent() -> None:
    learner = module()
    learner._ask(square, Stream(1))[0].sum().backward()
    optimiser = learner.configure_optimizers()
    learner.configure_gradient_clipping(optimiser, 5.0, "norm")
    (gradient,) = (parameter.grad for parameter in learner.parameters())
    assert gradient is not None
    # The first agent's, of length sqrt(5), is left alone; the second's, of length 50, is shortened to 5.
    torch.testing.assert_close(gradient, torch.tensor([[1.0, 2.0], [3.0, 4.0]]))


def test_a_loss_that_is_not_one_an_agent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"a loss of 2 agents has shape \(\); \[2\] is needed"):
        module()._ask(lambda agents, stream: square(agents, stream).mean(), Stream(1))
