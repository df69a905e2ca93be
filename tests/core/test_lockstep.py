from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from aiga import Network, Output, Percept, Status, Stream
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.lockstep import lockstep

STEPS, SIZE, CHOICES = 5, 3, 4


class Echo:
    """Shows each row its own numbers; a choice pays its own number times the row's."""

    def __init__(self, worth: Tensor) -> None:
        self.worth, self.acted = worth, torch.zeros(len(worth))

    def observe(self, step: int, reward: Tensor, previous: Tensor) -> Tensor:
        return torch.stack([self.worth, reward, previous.argmax(dim=1).float() + step], dim=1)

    def act(self, step: int, action: Tensor) -> Tensor:
        self.acted = action.float()
        return self.worth * action

    def traces(self) -> dict[str, Tensor]:
        return {"acted": self.acted}


class Counting:
    """Logits and a value from what it sees and how long it lives; it may be given lives side by side."""

    structure: Structure = {"version": 1}  # noqa: RUF012

    def __init__(self, side_by_side: bool = False) -> None:
        self.side_by_side, self.shapes = side_by_side, set[tuple[int, ...]]()

    def build(self, structure: Structure, inputs: Any, outputs: Any) -> Layout:
        return {"weight": (SIZE, CHOICES)}

    def init(self, rng: Stream, layout: Layout, count: int) -> Leaves:
        return {"weight": rng.rows(torch.arange(count)).normal(SIZE, CHOICES)}

    def newborn(self, leaves: Leaves) -> Life:
        return {"age": leaves["weight"].new_zeros(leaves["weight"].shape[:-2])}

    def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
        self.shapes.add(tuple(percept.observation.shape[:-1]))
        logits = (percept.observation[..., None] * leaves["weight"]).sum(dim=-2) * 0.1
        return Output(logits + life["age"][..., None], logits.sum(dim=-1) + life["age"]), {"age": life["age"] + 1}


def leaves_of(count: int, grad: bool = False) -> Leaves:
    leaves = Counting().init(Stream(1), {}, count)
    return {name: leaf.requires_grad_(grad) for name, leaf in leaves.items()}


def live(network: Network, leaves: Leaves, agent: Tensor, worth: Tensor, lengths: Tensor, record: bool = True) -> Any:
    seeds = torch.arange(len(agent)) + 100
    return lockstep(Echo(worth), network, leaves, agent, seeds, lengths, CHOICES, record)


def test_lives_of_unlike_length_end_each_at_its_own_time_and_then_repeat_their_last_entry() -> None:
    lengths = torch.tensor([2, 5, 1])
    lived = live(Counting(), leaves_of(3), torch.arange(3), torch.tensor([1.0, 2.0, 3.0]), lengths)
    life = lived.trajectory
    assert life.done.T.tolist() == [[step >= length - 1 for step in range(STEPS)] for length in lengths.tolist()]
    for row, length in enumerate(lengths.tolist()):
        for part in (life.observations, life.actions, life.rewards, *life.extras.values()):
            assert bool((part[length - 1 :, row] == part[length - 1, row]).all())
        assert float(lived.reward[row]) == pytest.approx(float(life.rewards[:length, row].sum()))
        assert torch.equal(life.rewards[:length, row], life.actions[:length, row] * float(row + 1))


def test_a_life_hangs_neither_on_company_nor_on_how_long_others_live() -> None:
    worth = torch.tensor([1.0, 2.0, 3.0])
    whole = live(Counting(), leaves_of(3), torch.arange(3), worth, torch.tensor([2, 5, 3])).trajectory
    leaves = {name: leaf[[2]] for name, leaf in leaves_of(3).items()}
    alone = lockstep(
        Echo(worth[2:]), Counting(), leaves, torch.tensor([0]), torch.tensor([102]), torch.tensor([3]), CHOICES, True
    )
    assert alone.trajectory is not None
    assert torch.equal(alone.trajectory.actions[:, 0], whole.actions[:3, 2])
    assert torch.equal(alone.trajectory.extras["logits"][:, 0], whole.extras["logits"][:3, 2])


def test_choices_are_drawn_as_often_as_their_logits_say() -> None:
    logits = torch.tensor([0.0, 1.0, -1.0, 2.0])
    drawn = (logits + Stream(5).rows(torch.arange(20000)).gumbel(CHOICES)).argmax(dim=1)
    share = torch.bincount(drawn, minlength=CHOICES) / 20000
    assert torch.allclose(share, logits.softmax(dim=0), atol=0.012)


def test_what_is_perceived_is_what_was_done_and_paid_before() -> None:
    life = live(Counting(), leaves_of(2), torch.arange(2), torch.tensor([1.0, 0.5]), torch.tensor([5, 5])).trajectory
    assert torch.equal(life.observations[1:, :, 1], life.rewards[:-1])
    steps = torch.arange(1, 5)[:, None]
    assert torch.equal(life.observations[1:, :, 2], life.actions[:-1] + steps)
    assert torch.equal(life.extras["acted"], life.actions.float())


@pytest.mark.parametrize("record", [False, True])
def test_a_score_is_the_same_recorded_or_not(record: bool) -> None:
    lived = live(Counting(), leaves_of(3), torch.arange(3), torch.ones(3), torch.tensor([2, 5, 1]), record)
    other = live(Counting(), leaves_of(3), torch.arange(3), torch.ones(3), torch.tensor([2, 5, 1]), not record)
    assert torch.equal(lived.reward, other.reward)
    assert (lived.trajectory is None) is not record


class Ending(Echo):
    """Ends a row's life once it has acted as often as its worth says."""

    def __init__(self, worth: Tensor) -> None:
        super().__init__(worth)
        self.age = 0

    def act(self, step: int, action: Tensor) -> Tensor:
        self.age += 1
        return super().act(step, action)

    def ended(self) -> Tensor:
        return self.worth == self.age


def test_a_life_that_its_world_ends_is_over_at_once_and_nobody_waits_for_the_longest_one() -> None:
    class Thrifty(Counting):
        asked = 0

        def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
            self.asked += 1
            return super().step(leaves, life, percept)

    worth, network, seeds = torch.tensor([3.0, 1.0, 20.0]), Thrifty(), torch.arange(3) + 100
    lived = lockstep(Ending(worth), network, leaves_of(3), torch.arange(3), seeds, torch.full((3,), 500), CHOICES, True)
    life = lived.trajectory
    assert life is not None
    assert network.asked == 32
    assert lived.steps.tolist() == [3, 1, 20]
    assert life.done.T.tolist() == [[step >= length - 1 for step in range(20)] for length in (3, 1, 20)]
    for row, length in enumerate((3, 1, 20)):
        assert float(lived.reward[row]) == pytest.approx(float(life.rewards[:length, row].sum()))
        assert bool((life.extras["logits"][length - 1 :, row] == life.extras["logits"][length - 1, row]).all())
    leaves = {name: leaf[[0]] for name, leaf in leaves_of(3).items()}
    alone = lockstep(Ending(worth[:1]), Counting(), leaves, torch.tensor([0]), seeds[:1], torch.tensor([500]), CHOICES, True)
    assert alone.trajectory is not None
    assert torch.equal(alone.trajectory.actions[:, 0], life.actions[:3, 0])


def test_a_life_that_its_world_does_not_end_has_its_length() -> None:
    lengths = torch.tensor([2, 18])
    leaves, agent, seeds = leaves_of(2), torch.arange(2), torch.arange(2)
    lived = lockstep(Ending(torch.full((2,), 99.0)), Counting(), leaves, agent, seeds, lengths, CHOICES, True)
    assert lived.steps.tolist() == [2, 18]
    assert lived.trajectory is not None
    assert len(lived.trajectory.rewards) == 18


def test_greedy_actions_are_those_of_the_greatest_logits() -> None:
    leaves, agent, lengths = leaves_of(2), torch.arange(2), torch.tensor([5, 5])
    drawn, other = (
        lockstep(Echo(torch.ones(2)), Counting(), leaves, agent, seeds, lengths, CHOICES, True, greedy=True)
        for seeds in (torch.arange(2), torch.arange(2) + 7)
    )
    assert drawn.trajectory is not None
    assert other.trajectory is not None
    assert torch.equal(drawn.trajectory.actions, drawn.trajectory.extras["logits"].argmax(dim=2))
    assert torch.equal(drawn.trajectory.actions, other.trajectory.actions)


def gradients(network: Network, agent: Tensor) -> Tensor:
    leaves = leaves_of(2, grad=True)
    life = live(network, leaves, agent, torch.linspace(0.5, 1.0, len(agent)), torch.full((len(agent),), 4)).trajectory
    loss = (life.extras["logits"].square() * torch.arange(1, len(agent) + 1)[:, None]).sum() + life.extras["values"].sum()
    return torch.autograd.grad(loss, leaves["weight"])[0]


def test_gradients_are_the_same_side_by_side_in_stretches_and_scattered() -> None:
    stretches = torch.tensor([0, 0, 0, 1, 1, 1])
    able = Counting(side_by_side=True)
    together = gradients(able, stretches)
    assert able.shapes == {(2, 3)}
    other = Counting()
    assert torch.allclose(together, gradients(other, stretches))
    assert other.shapes == {(6,)}
    scattered = Counting(side_by_side=True)
    assert not torch.allclose(together, gradients(scattered, torch.tensor([0, 1, 0, 1, 0, 1])))
    assert scattered.shapes == {(6,)}


def test_without_gradients_wanted_there_is_no_graph() -> None:
    leaves, agent, worth, lengths = leaves_of(2, grad=True), torch.tensor([0, 1]), torch.ones(2), torch.tensor([3, 3])
    assert live(Counting(), leaves, agent, worth, lengths).trajectory.extras["logits"].requires_grad
    with torch.no_grad():
        assert not live(Counting(), leaves, agent, worth, lengths).trajectory.extras["logits"].requires_grad


def test_an_answer_that_is_no_number_fails_its_row_unless_its_life_was_over() -> None:
    class Failing(Counting):
        def step(self, leaves: Leaves, life: Life, percept: Percept) -> tuple[Output, Life]:
            output, after = super().step(leaves, life, percept)
            return Output(torch.where(life["age"][:, None] == 2, torch.nan, output.action)), after

    lived = live(Failing(), leaves_of(2), torch.arange(2), torch.ones(2), torch.tensor([2, 4]))
    scores = lived.scores(lived.reward, {"environment_steps": 6}, reward=lived.reward)
    assert scores.status.tolist() == [int(Status.OK), int(Status.NAN)]
    assert bool(scores.fitness[1].isnan())
    assert scores.cost == {"environment_steps": 6}
