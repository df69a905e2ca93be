"""The network ``policy``: a policy that remembers nothing, or by recurrence, or by traces too, and whose width can be searched.

What happens within a life can be learnt from where the reward and the previous action are perceived (RL^2, Duan et al. 2016);
traces follow Hebb's rule with decay (Miconi, Clune & Stanley, "Differentiable plasticity", ICML 2018).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import one_hot

import aiga
from aiga.components import Layout, Life, Structure
from aiga.data import Leaves
from aiga.padding import width_of_bucket
from aiga_architectures.activations import FUNCTIONS, known
from aiga_architectures.normalising import exact
from aiga_architectures.options import MEMORIES, PolicyOptions
from aiga_architectures.picture import picture as drawn
from aiga_architectures.policy_space import PolicySpace


class PolicyNetwork:
    """See :class:`aiga.Network`; capabilities: ``bucket``, ``space``, ``picture``, ``traces``, ``side_by_side`` and ``unroll``.

    The names of leaves tell the architecture, so that one component serves agents of every structure. A life holds ``units``,
    the activity, where there is a memory, and ``trace`` where it is plastic. On a CPU bits hang on the row alone, unless
    gradients are wanted.

    Attributes:
        structure: ``{"version": 1, "hidden": ..., "memory": ..., "activation": ..., "reward": ..., "previous_action": ...,
            "value": ...}``.
    """

    side_by_side: ClassVar[bool] = True
    traces: ClassVar[tuple[str, ...]] = ("trace",)

    def __init__(self, options: PolicyOptions) -> None:
        self._options = options
        self.structure: Structure = {
            "version": 1,
            "hidden": options.hidden,
            "memory": options.memory,
            "activation": options.activation,
            "reward": options.reward,
            "previous_action": options.previous_action,
            "value": options.value,
        }
        self.space = PolicySpace(self.structure, options)

    def build(self, structure: Structure, inputs: aiga.Space, outputs: aiga.Space) -> Layout:
        """Shapes of one agent's leaves: weights are ``(from, to)``.

        Answers are linear; tanh where actions lie between -1 and 1.

        Raises:
            ValueError: for a structure of another version, of what there is not, or outputs that are no vector.
        """
        if structure.get("version") != 1:
            raise ValueError(f"policy reads structures of version 1, found version {structure.get('version')!r}")
        if len(outputs.shape) != 1:
            raise ValueError(f"policy answers a vector, the domain asks for shape {tuple(outputs.shape)}")
        if structure["memory"] not in MEMORIES:
            raise ValueError(f"policy has no memory {structure['memory']!r}; it has {', '.join(MEMORIES)}")
        units, answers = structure["hidden"], outputs.shape[0]
        if units < 1:
            raise ValueError(f"policy has at least one unit, found hidden {units}")
        seen = math.prod(inputs.shape) + structure["reward"] + answers * structure["previous_action"]
        words = [known("policy", structure["activation"])]
        words += ["reward"] * structure["reward"] + ["action"] * structure["previous_action"]
        core = f"core.{'+'.join(words)}"
        layout: Layout = {f"{core}.input": (seen, units), f"{core}.bias": (units,)}
        if structure["memory"] != "none":
            layout[f"{core}.recurrent"] = (units, units)
        if structure["memory"] == "plastic":
            layout |= {"trace.alpha": (units, units), "trace.eta": ()}
        squash = "tanh" if (outputs.kind, outputs.low, outputs.high) == ("continuous", -1.0, 1.0) else "linear"
        layout |= {f"head.{squash}.weight": (units, answers), f"head.{squash}.bias": (answers,)}
        return layout | {"value.weight": (units, 1), "value.bias": (1,)} if structure["value"] else layout

    def init(self, rng: aiga.Stream, layout: Layout, count: int) -> Leaves:
        """``count`` random agents, each drawn from ``rng``'s row key where it has row keys, else from its number.

        Weights are normal with a deviation of ``1 / sqrt(fan-in)``, recurrent ones of ``weight_scale`` times as much; biases
        are 0.

        Raises:
            ValueError: if ``rng`` has row keys, but not ``count`` of them.
        """
        rng = rng.each(count)
        return {name: self._born(name, rng.child(name), shape, count) for name, shape in layout.items()}

    def _born(self, name: str, rng: aiga.Stream, shape: tuple[int, ...], count: int) -> Tensor:
        if name.endswith(".bias"):
            return torch.zeros(count, *shape)
        if name == "trace.eta":
            return torch.full((count,), self._options.eta)
        if name == "trace.alpha":
            return rng.normal(*shape) * self._options.alpha_scale
        scale = self._options.weight_scale if name.endswith(".recurrent") else 1.0
        return rng.normal(*shape) * (scale / math.sqrt(shape[0]))

    def newborn(self, leaves: Leaves) -> Life:
        """Zeros."""
        plan, weight = plan_of(leaves), leaves[plan_of(leaves).input]
        lead, units = weight.shape[:-2], weight.shape[-1]
        life = {} if plan.memory == "none" else {"units": weight.new_zeros(*lead, units)}
        return life | ({"trace": weight.new_zeros(*lead, units, units)} if plan.memory == "plastic" else {})

    def step(self, leaves: Leaves, life: Life, percept: aiga.Percept) -> tuple[aiga.Output, Life]:
        """``[B, out]`` action parameters, and ``[B]`` values where there is a head.

        Leaves may be those of ``P`` agents with ``E`` lives each, ``[P, 1, ...]``; percepts and life are then ``[P, E, ...]``.
        """
        lives = _Lives(leaves, exact(leaves, life))
        lead = percept.observation.shape[: lives.axes]
        flat = {part: tensor.reshape(lives.agents, -1, *tensor.shape[lives.axes :]) for part, tensor in life.items()}
        seen = lives.perceived(percept, lives.axes)
        activity, after = lives.advance(flat, lives.drive(seen.reshape(lives.agents, -1, seen.shape[-1])))
        output = lives.answer(activity)
        value = None if output.value is None else output.value.reshape(lead)
        after = {part: tensor.reshape(*lead, *tensor.shape[2:]) for part, tensor in after.items()}
        return aiga.Output(output.action.reshape(*lead, -1), value), after

    def unroll(self, leaves: Leaves, percepts: aiga.Percept) -> aiga.Output:
        """Whole lives whose percepts do not hang on their actions: as steps from birth on would answer, but for rounding.

        Args:
            leaves: ``[P, ...]``.
            percepts: tensors of ``[T, P, E, ...]``, ``E`` lives of each agent.

        Returns:
            Action parameters ``[T, P, E, out]`` and values ``[T, P, E]``.
        """
        lives = _Lives(leaves, False)
        steps, agents, each = percepts.observation.shape[:3]
        drive = lives.drive(lives.perceived(percepts, 3).transpose(0, 1).flatten(1, 2)).reshape(agents, steps, each, -1)
        newborn = self.newborn(leaves)
        life = {part: tensor[:, None].expand(-1, each, *tensor.shape[1:]) for part, tensor in newborn.items()}
        activities = []
        for step in range(steps):
            activity, life = lives.advance(life, drive[:, step])
            activities.append(activity)
        output = lives.answer(torch.stack(activities, dim=1).flatten(1, 2))
        action = output.action.reshape(agents, steps, each, -1).transpose(0, 1)
        value = None if output.value is None else output.value.reshape(agents, steps, each).transpose(0, 1)
        return aiga.Output(action, value)

    def bucket(self, structure: Structure) -> Structure:
        """The same with units filled up to a power of two; all else is kept."""
        return {**structure, "hidden": width_of_bucket(structure["hidden"])}

    def picture(self, structure: Structure) -> bytes:
        """A PNG file of a structure."""
        return drawn(structure)


class Plan(NamedTuple):
    """An architecture but for its width, as the names of leaves tell it.

    Attributes:
        input: name of the leaf that what is perceived is multiplied by.
        core: what the names of the units' leaves begin with.
        head: what the names of the answer's leaves begin with.
        memory: one of ``MEMORIES``.
        activation: of the units.
        squash: ``tanh`` or ``linear``, of the answer.
        reward: whether the reward is perceived.
        action: whether the previous action is perceived.
        value: whether there is a head for the value.
    """

    input: str
    core: str
    head: str
    memory: str
    activation: str
    squash: str
    reward: bool
    action: bool
    value: bool


def plan_of(leaves: Leaves) -> Plan:
    """The plan of agents with these leaves."""
    return _plan(tuple(leaves))


@lru_cache(maxsize=256)
def _plan(names: tuple[str, ...]) -> Plan:
    (core,) = (name.removesuffix(".input") for name in names if name.endswith(".input"))
    (head,) = (name.removesuffix(".weight") for name in names if name.startswith("head.") and name.endswith(".weight"))
    activation, *more = core.removeprefix("core.").split("+")
    memory = "plastic" if "trace.eta" in names else "recurrent" if f"{core}.recurrent" in names else "none"
    squash, value = head.removeprefix("head."), "value.weight" in names
    return Plan(f"{core}.input", core, head, memory, activation, squash, "reward" in more, "action" in more, value)


class _Lives:
    """``E`` lives of each of ``P`` agents.

    Args:
        leaves: ``[P, ...]``, ``[P, 1, ...]``, or ``[P, E, ...]`` where each life has its own.
        exact: let a row's bits hang on nothing beside it.

    Attributes:
        axes: how many of them lead.
        agents: P, or P * E where each life has its own.
    """

    def __init__(self, leaves: Leaves, exact: bool) -> None:
        self._plan, self._exact = plan_of(leaves), exact
        weight = leaves[self._plan.input]
        self.axes = weight.ndim - 2
        if self.axes == 2:
            leaves = {name: leaf[:, 0] if weight.shape[1] == 1 else leaf.flatten(0, 1) for name, leaf in leaves.items()}
        self._leaves, self.agents = leaves, len(leaves[self._plan.input])

    def perceived(self, percept: aiga.Percept, axes: int) -> Tensor:
        """``[..., F]`` of percepts with ``axes`` leading axes; zeros for what the domain has not."""
        weight = self._leaves[self._plan.input]
        observation = percept.observation.flatten(start_dim=axes).to(weight.dtype)
        parts, lead = [observation], observation.shape[:-1]
        if self._plan.reward:
            reward = observation.new_zeros(lead) if percept.reward is None else percept.reward.to(weight.dtype)
            parts.append(reward[..., None])
        if self._plan.action:
            count = weight.shape[1] - observation.shape[-1] - self._plan.reward
            parts.append(_vector(percept.previous_action, axes, count, observation))
        return torch.cat(parts, dim=-1) if len(parts) > 1 else observation

    def drive(self, seen: Tensor) -> Tensor:
        """``[P, E, N]``: how what is perceived ``[P, E, F]`` reaches the units."""
        plan = self._plan
        return self._multiply(seen, self._leaves[plan.input]) + self._leaves[f"{plan.core}.bias"][:, None]

    def advance(self, life: Life, drive: Tensor) -> tuple[Tensor, Life]:
        """One step of lives ``[P, E, ...]``: the units' activity ``[P, E, N]``, and the life."""
        plan, activate = self._plan, FUNCTIONS[self._plan.activation]
        if plan.memory == "none":
            return activate(drive), {}
        x, weight = life["units"], self._leaves[f"{plan.core}.recurrent"]
        if plan.memory == "recurrent":
            y = activate(self._multiply(x, weight) + drive)
            return y, {"units": y}
        trace, eta = life["trace"], self._leaves["trace.eta"][:, None, None]
        plastic = self._leaves["trace.alpha"][:, None] * trace
        if self._exact:
            sums = (x[..., None] * (weight[:, None] + plastic)).sum(dim=2)
        else:
            sums = torch.bmm(x, weight) + torch.matmul(x[:, :, None], plastic)[:, :, 0]
        y = activate(sums + drive)
        trace = (1.0 - eta)[..., None] * trace + x[..., None] * (eta * y)[:, :, None]
        return y, {"units": y, "trace": trace}

    def answer(self, activity: Tensor) -> aiga.Output:
        """Action parameters ``[P, E, out]`` and values ``[P, E]`` of activities ``[P, E, N]``."""
        plan, leaves = self._plan, self._leaves
        action = self._multiply(activity, leaves[f"{plan.head}.weight"]) + leaves[f"{plan.head}.bias"][:, None]
        value = None
        if plan.value:
            value = (self._multiply(activity, leaves["value.weight"]) + leaves["value.bias"][:, None])[..., 0]
        return aiga.Output(FUNCTIONS[plan.squash](action), value)

    def _multiply(self, x: Tensor, weight: Tensor) -> Tensor:
        if self._exact:  # matrix products of a batch may round a row by its company
            return (x[..., None] * weight[:, None]).sum(dim=2)
        return torch.bmm(x, weight)


def _vector(action: Tensor | None, axes: int, count: int, like: Tensor) -> Tensor:
    """``[..., count]``: an action's numbers, or 1 at the place of one that is a number of a choice."""
    if action is None:
        return like.new_zeros(*like.shape[:-1], count)
    if action.is_floating_point():
        return action.flatten(start_dim=axes).to(like.dtype)
    return one_hot(action, count).to(like.dtype)
