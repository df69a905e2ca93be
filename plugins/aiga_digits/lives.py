"""Lives in a task: learn from a stream of examples, where a network can, then name images that none learnt from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

import torch
from torch import Tensor

from aiga import Dense, Network, Percept, Scores, Status, Trajectory
from aiga.components import Life
from aiga.crossing import onto
from aiga.data import Leaves
from aiga.products import dense
from aiga.streams import Stream, combine, derive
from aiga_digits.genome import members
from aiga_digits.seen import Images, logits_of
from aiga_digits.shelves import Chosen
from aiga_digits.sources import Split

LIFE: Final = Stream(derive("digits", "life", 1))
_CHUNK: Final = 64  # images in memory at a time, of each life; fixed, as a network may sum over what it is given
_NUMBERS: Final = 2**22  # of agents' leaves that are repeated at a time
_GRAIN: Final = 2.0**20  # cross-entropies are added in whole numbers of 1/_GRAIN: the same bits in any order
_ACTIVATIONS: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "identity": lambda x: x,
}
_MOST: Final = 1e6  # nats that one image can cost


@dataclass(frozen=True)
class Pupils:
    """``B`` agents in the middle of their lives, each in a task of its own.

    Attributes:
        network: what they are made of.
        leaves: their parameters, ``[B, ...]``.
        life: their lifetime state.
        tasks: leaves of their environments, ``[B]``, on their device.
    """

    network: Network
    leaves: Leaves
    life: Life
    tasks: Leaves

    @staticmethod
    def born(
        network: Network, leaves: Leaves, tasks: Leaves, images: Images, stream: Stream, learnt: int, create_graph: bool
    ) -> Pupils:
        """The agents at birth; of a network with the capability ``learn``, after so many examples."""
        life = network.newborn(leaves)
        if hasattr(network, "learn") and learnt:
            for rows in torch.split(images.drawn(tasks, stream.child("learnt"), learnt), _CHUNK, dim=1):
                x, y = images.show(tasks, rows), images.told(tasks, rows)
                life = cast(Any, network).learn(leaves, life, x, y, create_graph)
        return Pupils(network, leaves, life, tasks)

    def answer(self, x: Tensor) -> Tensor:
        """``[B, T, 10]`` logits of images ``[B, T, C, H, W]``, each seen in the life as it is.

        Those of classes that are not in the task are minus infinity.
        """
        if hasattr(self.network, "answers"):
            return logits_of(self.tasks, cast(Any, self.network).answers(self.leaves, self.life, x))
        if hasattr(self.network, "layers"):
            return logits_of(self.tasks, self._layered(x))
        size = sum(part[0].numel() for part in (*self.leaves.values(), *self.life.values()))
        some = max(1, _NUMBERS // (len(x) * max(size, 1)))
        return logits_of(self.tasks, torch.cat([self._steps(piece) for piece in torch.split(x, some, dim=1)], dim=1))

    def _layered(self, x: Tensor) -> Tensor:
        """All images at once, through a network that is nothing but dense layers."""
        layers: list[Dense] = cast(Any, self.network).layers(self.leaves)
        exact = x.device.type == "cpu" and not torch.is_grad_enabled()
        x = x.flatten(2).to(layers[0].weight.dtype)
        for layer in layers:
            x = _ACTIVATIONS[layer.activation](dense(x, layer.weight, layer.bias, exact))
        return x

    def _steps(self, x: Tensor) -> Tensor:
        """One step of as many lives as there are images, of which nothing is kept."""
        count, times = x.shape[:2]
        leaves, life = (_repeated(parts, times) for parts in (self.leaves, self.life))
        none = x.new_zeros(count * times, 10)
        output, _ = self.network.step(leaves, life, Percept(x.flatten(0, 1), target=none))
        return output.action.reshape(count, times, -1)


class Named(NamedTuple):
    """What became of ``P`` lives.

    Attributes:
        right: ``[P]`` int64 images named rightly.
        total: ``[P]`` int64 images asked about.
        loss: ``[P]`` float64 mean cross-entropy, of the classes of the task.
        void: ``[P]`` bool, whose answers are not all numbers.
        answers: ``[P, T]`` int64 the class that was named, -1 past a life's end.
        rows: ``[P, T]`` int64 the images.
        logits: ``[P, T, 10]``; empty unless asked for.
    """

    right: Tensor
    total: Tensor
    loss: Tensor
    void: Tensor
    answers: Tensor
    rows: Tensor
    logits: Tensor


def asked(images: Images, tasks: Leaves, split: Split, most: int, seed: Tensor) -> Chosen:
    """Up to ``most`` images of a use, of each task's classes."""
    shelf, there = images.shelves[split], members(tasks["classes"])
    every = torch.where(there, shelf.count, 0).sum(dim=1)
    return shelf.choose(there, every.clamp(max=most), seed)


@torch.no_grad()
def name(pupils: Pupils, images: Images, split: Split, chosen: Chosen, chunk: int = _CHUNK, keep: bool = False) -> Named:
    """Asks every life about the images chosen for it.

    Args:
        pupils: the lives.
        images: on their device.
        split: that the images are of.
        chosen: of that shelf.
        chunk: images shown at a time, always as many, whatever lives there are beside one.
        keep: give the logits too.
    """
    total, longest = chosen.total, int(chosen.total.max())
    void, mine = torch.zeros_like(total, dtype=torch.bool), members(pupils.tasks["classes"])[:, None]
    right, loss = torch.zeros_like(total), torch.zeros_like(total)
    answers, seen, kept = list[Tensor](), list[Tensor](), list[Tensor]()
    for start in range(0, longest, chunk):
        place = torch.arange(start, start + chunk, device=total.device).expand(len(total), -1)
        inside = place < total[:, None]
        rows = images.shelves[split].at(chosen, place % total[:, None])
        label, logits = images.label(rows), pupils.answer(images.show(pupils.tasks, rows))
        named = logits.argmax(dim=2)
        void |= (~logits.isfinite() & mine & inside[..., None]).flatten(1).any(dim=1)
        right += ((named == label) & inside).sum(dim=1)
        # By images that are no numbers a life is void anyway.
        cost = cross_entropy(logits.double(), label).nan_to_num(nan=0.0, posinf=_MOST).clamp(max=_MOST)
        loss += torch.where(inside, (cost * _GRAIN).round().long(), 0).sum(dim=1)
        answers.append(torch.where(inside, named, -1))
        seen.append(rows)
        if keep:
            kept.append(logits)
    return Named(
        right,
        total,
        loss.double() / _GRAIN / total,
        void,
        torch.cat(answers, dim=1)[:, :longest],
        torch.cat(seen, dim=1)[:, :longest],
        torch.cat(kept, dim=1)[:, :longest] if keep else torch.empty(0, device=total.device),
    )


@torch.no_grad()
def live(
    network: Network, leaves: Leaves, tasks: Leaves, images: Images, seeds: Tensor, most: int, learnt: int, record: bool = False
) -> tuple[Scores, Trajectory | None]:
    """One life a row: validation images are named.

    Args:
        network: what the agents are made of.
        leaves: ``[P, ...]``, of whoever lives each.
        tasks: leaves of the environments, ``[P]``, on their device.
        images: there too.
        seeds: ``[P]`` int64: which examples are learnt from within the life, and which images are asked about where there are
            more than ``most``.
        most: images asked about.
        learnt: examples learnt from by networks with the capability ``learn``.
        record: give the lives too.

    Returns:
        Scores with ``fitness``, percent of the images named rightly, and ``loss``; and where wanted the lives, with ``label``
        and ``logits`` beside them.
    """
    device = tasks["seed"].device
    keys = combine(tasks["seed"], onto(seeds, device))
    pupils = Pupils.born(network, leaves, tasks, images, LIFE.rows(keys), learnt, create_graph=False)
    chosen = asked(images, tasks, "validation", most, keys)
    named = name(pupils, images, "validation", chosen, min(_CHUNK, most), keep=record)
    scores = _scores(named, learnt * len(seeds) if hasattr(network, "learn") else 0)
    return scores, _trajectory(named, images, tasks) if record else None


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """``[B, T]`` nats."""
    return -logits.log_softmax(dim=-1).gather(-1, label[..., None])[..., 0]


def loss(pupils: Pupils, images: Images, stream: Stream, count: int) -> Tensor:
    """``[B]`` mean cross-entropy on ``count`` examples that may be learnt from, differentiable in the agents' leaves."""
    x, y = images.examples(pupils.tasks, stream, count)
    return cross_entropy(pupils.answer(x), y).mean(dim=1)


def _scores(named: Named, learnt: int) -> Scores:
    void = named.void.cpu()
    fitness = 100.0 * named.right.double().cpu() / named.total.cpu()
    columns = {name: torch.where(void, torch.nan, each) for name, each in (("fitness", fitness), ("loss", named.loss.cpu()))}
    status = torch.where(void, int(Status.NAN), int(Status.OK))
    reasons = dict.fromkeys(torch.nonzero(void).flatten().tolist(), "an answer to a validation image is not a finite number")
    return Scores(columns, status, reasons, {"examples": int(named.total.sum()) + learnt})


def _trajectory(named: Named, images: Images, tasks: Leaves) -> Trajectory:
    """A reward of 1 for every image named rightly."""
    longest = named.rows.shape[1]
    time = torch.arange(longest, device=named.total.device).expand(len(named.total), -1)
    place = time.minimum(named.total[:, None] - 1)
    rows, answers = named.rows.gather(1, place), named.answers.gather(1, place)
    label = images.label(rows)
    logits = named.logits.gather(1, place[..., None].expand_as(named.logits))
    columns = (images.show(tasks, rows), answers, (answers == label).float(), time >= named.total[:, None] - 1)
    extras = {"label": label.T, "logits": logits.transpose(0, 1)}
    observations, actions, rewards, done = (column.transpose(0, 1) for column in columns)
    return Trajectory(observations, actions, rewards, done, extras)


def _repeated(parts: dict[str, Tensor], times: int) -> dict[str, Tensor]:
    """Every row so many times, one after another; not by an index, whose gradient would be gathered by index too."""
    return {name: part[:, None].expand(-1, times, *part.shape[1:]).reshape(-1, *part.shape[1:]) for name, part in parts.items()}
