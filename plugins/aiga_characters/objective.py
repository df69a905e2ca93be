"""The meta-objective: what a learner that has just learnt a class says of it, and of everything else it could know.

OML and ANML (Javed & White 2019; Beaulieu et al. 2020): learn one class image by image, then take the cross-entropy on its
images and on random images of all classes. Where environments are few-shot episodes: learn the episode, then take the
cross-entropy on images of its classes that were not learnt. Where nothing is learnt in a trial, what is left is plain
supervised training: the pretraining of the papers' controls.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from aiga import Network, Pairs
from aiga.crossing import onto
from aiga.data import Leaves
from aiga_characters.genome import TESTS
from aiga_characters.images import Pictures
from aiga_characters.lessons import Lessons, shapes
from aiga_characters.lives import Pupils, of_rows
from aiga_characters.recipes import DRAWERS


@dataclass(frozen=True)
class Trial:
    """How long a meta-training trial is; ANML's numbers by default.

    Attributes:
        trajectory: classes learnt in it; with none, a trial is ``remember`` images named without a life being lived.
        inner_steps: images learnt of each.
        unseen: images of each that are not learnt, but asked about.
        remember: random images of all of a stream's classes that are asked about.
    """

    trajectory: int = 1
    inner_steps: int = 20
    unseen: int = 0
    remember: int = 64


def loss(pairs: Pairs, network: Network, pictures: Pictures, lessons: Lessons, labels: int, trial: Trial) -> Tensor:
    """``[P]`` mean cross-entropy of each pair's trial, differentiable in the agents' leaves, on their device.

    Args:
        pairs: streams with agents of one kind.
        network: what the agents are made of.
        pictures: the set, on the agents' device.
        lessons: of the pairs.
        labels: that the network's outputs stand for.
        trial: of pairs whose environment is no few-shot episode.
    """
    agents, at = pairs.agents_of_one_kind()
    episodic, classes = lessons.genes["episodic"], lessons.genes["classes"]
    # An episode is learnt whole; of a stream so many of its classes.
    learnt = torch.where(episodic == 1, classes, classes.clamp(max=trial.trajectory))
    examples = torch.where(episodic == 1, lessons.genes["examples"], trial.inner_steps)
    groups, losses = shapes(episodic, learnt, examples), []
    for rows in groups:
        one, leaves = int(rows[0]), of_rows(agents.leaves, at[rows])
        whole = bool(episodic[one])
        unseen, remember = (TESTS, 0) if whole else (trial.unseen, trial.remember)
        mine = Trial(int(learnt[one]), int(examples[one]), unseen, remember)
        losses.append(_trials(network, leaves, lessons.take(rows), pictures, labels, mine, again=not whole))
    return torch.cat(losses)[onto(torch.cat(groups).argsort(), losses[0].device)]


def _trials(
    network: Network, leaves: Leaves, lessons: Lessons, pictures: Pictures, labels: int, trial: Trial, again: bool
) -> Tensor:
    """``[B]`` losses of trials of one shape; ``again`` asks about the images learnt too."""
    learnt, examples = trial.trajectory, trial.inner_steps
    device, row = next(iter(leaves.values())).device, torch.arange(len(lessons))[:, None]
    pupils = Pupils.born(network, leaves, labels)
    if not learnt:
        return _entropy(pupils, lessons, pictures, *lessons.remembered(trial.remember))
    label = lessons.labels(learnt)
    drawers, place = lessons.drawers()[row, label], lessons.order(learnt, examples)
    shown = label[row, place // examples], drawers[row, place // examples, place % examples]
    pupils, _ = pupils.learn(pictures.show(lessons, *shown), onto(shown[0], device), create_graph=True)
    new = label.repeat_interleave(trial.unseen, dim=1), drawers[:, :, DRAWERS - trial.unseen :].flatten(1)
    asked = [*([shown] if again else []), new, lessons.remembered(trial.remember)]
    wanted, by = (torch.cat(columns, dim=1) for columns in zip(*asked, strict=True))
    return _entropy(pupils, lessons, pictures, wanted, by)


def _entropy(pupils: Pupils, lessons: Lessons, pictures: Pictures, wanted: Tensor, by: Tensor) -> Tensor:
    """``[B]`` mean cross-entropy on the images ``[B, M]`` of classes ``wanted`` by drawers ``by``."""
    logits, _ = pupils.answer(pictures.show(lessons, wanted, by))
    # A life has no more labels than classes.
    void = torch.arange(pupils.labels) >= lessons.genes["classes"][:, None, None]
    logits = logits.masked_fill(onto(void, logits.device), -torch.inf)
    return -logits.log_softmax(dim=-1).gather(-1, onto(wanted, logits.device)[..., None])[..., 0].mean(dim=1)
