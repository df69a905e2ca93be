"""How learners are taught, and how what they do afterwards changes with what their teachers have learnt."""

from __future__ import annotations

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.crossing import onto
from aiga.data import Batch, Population
from aiga.padding import Networks
from aiga_gtn.learners import Group
from aiga_gtn.niches.doings import Doings, imitation
from aiga_gtn.niches.teachers import Lessons


def teach(group: Group, lessons: Lessons, choices: bool) -> Tensor:
    """``[P, D]``: leaves of ``P`` newborn learners after a step of gradient descent, with momentum, for each lesson.

    Differentiable in the lessons where gradients are on. A learner's leaves and its own lessons are all that its own hang on.

    Args:
        group: the learners.
        lessons: one row a learner.
        choices: whether answers are choices.
    """
    through, flat = torch.is_grad_enabled(), group.flat
    speed = torch.zeros_like(flat)
    for step, shown in enumerate(lessons.shown):
        with torch.enable_grad():
            if not flat.requires_grad or not through:
                flat = flat.detach().requires_grad_()
            loss = imitation(group.network, group.leaves(flat), shown, choices)
            # Learners share no leaves: the gradient of the sum is each one's own.
            (slope,) = torch.autograd.grad(loss.sum(), flat, create_graph=through)
        speed = torch.addcmul(slope, lessons.momentum[:, step, None], speed)
        flat = torch.addcmul(flat, lessons.rate[:, step, None], speed, value=-1.0)
    return flat if through else flat.detach()


def taught(
    agents: Population, lessons: Lessons, networks: Networks, domain: aiga.Domain, doings: Doings | None = None
) -> tuple[Population, Tensor]:
    """The agents once they are taught, row for row and kind for kind; those of one bucket in one call.

    Args:
        agents: ``P`` newborn ones.
        lessons: one row an agent.
        networks: by name.
        domain: that they are to live in.
        doings: one row an agent, that it is compared with once it is taught.

    Returns:
        The population, and ``[P]`` float64 on the host: how far it is from doing as was done, NaN without ``doings``.
    """
    choices = domain.outputs.kind == "discrete"
    wide, where = padding.in_buckets(agents, networks, domain)
    back = where.argsort()
    batches, places, found = list[Batch](), list[Tensor](), list[Tensor]()
    with torch.no_grad():
        for start, batch in wide.parts():
            group = Group(networks(batch.kind.component), batch, torch.arange(len(batch)))
            rows = back[start : start + len(batch)]
            on = onto(rows, batch.device)
            learnt = group.agents(teach(group, lessons.of(on), choices))
            batches.append(learnt)
            if doings is not None:
                places.append(rows)
                found.append(imitation(group.network, learnt.leaves, doings.of(on), choices))
    off = torch.full((len(agents),), torch.nan, dtype=torch.float64)
    done = padding.out_of_buckets(Population(tuple(batches)), where, agents, networks, domain)
    for rows, one in zip(places, done.hashed(*found) if found else [], strict=True):
        off[rows] = one.double()
    return done, off
