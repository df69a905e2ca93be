"""Lifetimes on streams of characters: learn images one by one, then be asked about others (Javed & White 2019).

A network with ``learn`` descends its gradient within the life; any other is shown each image with its label as the target, and
what it makes of that is its life. Lives of one shape (classes, examples) run side by side in one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor

from aiga import Network, Output, Pairs, Percept, Scores, Status, Trajectory
from aiga.components import Life
from aiga.crossing import onto
from aiga.data import Leaves
from aiga_characters.film import Film, joined, stacked
from aiga_characters.genome import TESTS
from aiga_characters.images import Pictures
from aiga_characters.lessons import Lessons, shapes
from aiga_characters.recipes import DRAWERS

AGES: Final = 10  # parts that a life's classes are cut into, by how long ago they were learnt
_CHUNK: Final = 150  # images in memory at a time: ten classes of fifteen; fixed, as a network may sum over what it is given


@dataclass(frozen=True)
class Pupils:
    """``B`` agents in the middle of their lives.

    Attributes:
        network: what they are made of.
        leaves: their parameters, ``[B, ...]``.
        life: their lifetime state, ``[B, ...]``.
        labels: that the network's outputs stand for.
    """

    network: Network
    leaves: Leaves
    life: Life
    labels: int

    @staticmethod
    def born(network: Network, leaves: Leaves, labels: int) -> Pupils:
        """The agents at birth."""
        return Pupils(network, leaves, network.newborn(leaves), labels)

    def learn(self, x: Tensor, y: Tensor, create_graph: bool) -> tuple[Pupils, list[Output]]:
        """The same agents after images ``[B, T, ...]`` with labels ``[B, T]``, and what they answered meanwhile, if at all."""
        if hasattr(self.network, "learn"):
            life = _able(self.network).learn(self.leaves, self.life, x, y, create_graph)
            return Pupils(self.network, self.leaves, life, self.labels), []
        life, answers = self.life, []
        targets = torch.nn.functional.one_hot(y, self.labels).to(x.dtype)
        for step in range(x.shape[1]):
            output, life = self.network.step(self.leaves, life, Percept(x[:, step], target=targets[:, step]))
            answers.append(output)
        return Pupils(self.network, self.leaves, life, self.labels), answers

    def answer(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits ``[B, M, labels]`` for images ``[B, M, ...]``, each seen in the life as it is; and values, if there are."""
        if hasattr(self.network, "answers"):
            return _able(self.network).answers(self.leaves, self.life, x), None
        none = x.new_zeros(len(x), self.labels)
        seen = (Percept(x[:, place], target=none) for place in range(x.shape[1]))
        return stacked([self.network.step(self.leaves, self.life, percept)[0] for percept in seen])


def of_rows(leaves: Leaves, at: Tensor) -> Leaves:
    """The leaves of ``[P]`` rows; one agent in all of them is not copied, only repeated."""
    if bool((at == at[0]).all()):
        return {name: leaf[int(at[0])].expand(len(at), *leaf.shape[1:]) for name, leaf in leaves.items()}
    return {name: leaf[onto(at, leaf.device)] for name, leaf in leaves.items()}


def live(
    pairs: Pairs, network: Network, pictures: Pictures, lessons: Lessons, labels: int, record: bool = False
) -> tuple[Scores, Trajectory | None]:
    """One lifetime a pair.

    Args:
        pairs: streams with agents of one kind.
        network: what the agents are made of.
        pictures: the set, on the agents' device.
        lessons: of the pairs.
        labels: that the network's outputs stand for.
        record: answer the lifetimes too; gradients are then left as they are.

    Returns:
        Scores with ``fitness`` (percent of test images named rightly), ``train_accuracy`` (percent of the images learnt from)
        and ``by_age`` (``[P, 10]``, percent of test images, from the tenth of the classes that was learnt last to the first);
        and the trajectory: the images learnt from, then the tests, with ``label``, ``learning`` and ``logits`` beside them, and
        ``values`` where the network has some.
    """
    agents, at = pairs.agents_of_one_kind()
    classes, examples = lessons.genes["classes"], lessons.genes["examples"]
    if bool((classes > labels).any()):
        raise ValueError(
            f"a stream of {int(classes.max())} classes for networks of {labels} outputs. "
            "Raise labels in [plugins.characters.options]."
        )
    marks, films, groups = [], [], shapes(classes, examples)
    with torch.set_grad_enabled(record and torch.is_grad_enabled()):
        for rows in groups:
            leaves = of_rows(agents.leaves, at[rows])
            film = Film() if record else None
            marks.append(_lifetime(network, leaves, lessons.take(rows), pictures, labels, film))
            films.append(film)
    back = torch.cat(groups).argsort()
    columns = {name: torch.cat([mark[name] for mark in marks])[back] for name in marks[0]}
    void = columns.pop("void")
    shown = int((classes * (2 * examples + TESTS)).sum())
    cost = {"environment_steps": shown, "examples": int((classes * examples).sum())}
    scores = _scores(columns, void, cost)
    return scores, joined([film for film in films if film is not None], back) if record else None


def _lifetime(
    network: Network, leaves: Leaves, lessons: Lessons, pictures: Pictures, labels: int, film: Film | None
) -> dict[str, Tensor]:
    """Percentages of ``B`` lives of one shape, on the host; ``void`` ``[B]`` bool where an answer was no number."""
    count, classes, examples = len(lessons), lessons.classes.shape[1], int(lessons.genes["examples"][0])
    every = torch.arange(classes).expand(count, classes)
    device = next(iter(leaves.values())).device
    pupils = Pupils.born(network, leaves, labels)
    create_graph = torch.is_grad_enabled() and any(leaf.requires_grad for leaf in leaves.values())
    drawers, order = lessons.drawers(), lessons.order(classes, examples)
    for places in torch.split(order, _CHUNK, dim=1):
        label = places // examples
        drawer = drawers[torch.arange(count)[:, None], label, places % examples]
        x = pictures.show(lessons, label, drawer)
        pupils, answers = pupils.learn(x, onto(label, device), create_graph)
        if film is not None:
            film.learnt(x, label, labels, answers)
    asked = _exam(pupils, lessons, pictures, every, drawers[..., DRAWERS - TESTS :], film)
    again = _exam(pupils, lessons, pictures, every, drawers[..., :examples], None)
    right, void = asked
    return {
        "fitness": 100.0 * right.flatten(1).double().mean(dim=1),
        "train_accuracy": 100.0 * again[0].flatten(1).double().mean(dim=1),
        "by_age": _by_age(right),
        "void": void | again[1],
    }


def _exam(
    pupils: Pupils, lessons: Lessons, pictures: Pictures, label: Tensor, drawers: Tensor, film: Film | None
) -> tuple[Tensor, Tensor]:
    """``[B, N, K]`` bool: which of ``K`` images of each class were named rightly; ``[B]``: whose answers were no numbers."""
    count, classes, images = drawers.shape
    labels = label[:, :, None].expand(drawers.shape).reshape(count, -1)
    right, void = [], torch.zeros(count, dtype=torch.bool)
    with torch.set_grad_enabled(film is not None and torch.is_grad_enabled()):
        pieces = (torch.split(column, _CHUNK, dim=1) for column in (labels, drawers.reshape(count, -1)))
        for of_labels, of_drawers in zip(*pieces, strict=True):
            x = pictures.show(lessons, of_labels, of_drawers)
            logits, values = pupils.answer(x)
            own = logits.detach()[..., :classes]  # a life has no more labels than classes
            void |= ~own.isfinite().flatten(1).all(dim=1).cpu()
            named = own.argmax(dim=-1).cpu()
            right.append(named == of_labels)
            if film is not None:
                film.asked(x, of_labels, named, logits, values)
    return torch.cat(right, dim=1).reshape(count, classes, images), void


def _by_age(right: Tensor) -> Tensor:
    """``[B, 10]`` percent of ``[B, N, K]``, the classes learnt last first; of fewer than ten some stand for two tenths."""
    classes = right.shape[1]
    correct = right.flip(1).sum(dim=2)
    part = torch.arange(AGES)
    first = part * classes // AGES
    last = torch.maximum((part + 1) * classes // AGES, first + 1)
    total = torch.cat([correct.new_zeros(len(correct), 1), correct.cumsum(dim=1)], dim=1)
    return 100.0 * (total[:, last] - total[:, first]).double() / ((last - first) * right.shape[2])


def _scores(columns: dict[str, Tensor], void: Tensor, cost: Mapping[str, int]) -> Scores:
    status = torch.where(void, int(Status.NAN), int(Status.OK))
    reasons = dict.fromkeys(torch.nonzero(void).flatten().tolist(), "an answer to a test image is not a finite number")
    for name, column in columns.items():
        columns[name] = torch.where(void.reshape(-1, *[1] * (column.ndim - 1)), torch.nan, column)
    return Scores(columns, status, reasons, cost)


def _able(network: Network) -> Any:
    """The network, with capabilities that its protocol does not name."""
    return network
