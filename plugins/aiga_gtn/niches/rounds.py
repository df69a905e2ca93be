"""A round of meta-learning: the teachers of all niches take outer steps side by side, each on fresh learners of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor

import aiga
from aiga import padding
from aiga.components import Structure
from aiga.crossing import onto, to_host
from aiga.data import Batch, Kind, flatten, unflatten
from aiga.streams import combine
from aiga_gtn.learners import Group
from aiga_gtn.niches.doings import Doings, imitation
from aiga_gtn.niches.options import GtnNichesOptions
from aiga_gtn.niches.teachers import Lessons, Teachers, cut_out
from aiga_gtn.niches.teaching import teach


def learnt(
    options: GtnNichesOptions,
    teachers: Teachers,
    doings: Doings,
    networks: Mapping[str, aiga.Network],
    domain: aiga.Domain,
    rng: aiga.Stream,
) -> tuple[Teachers, Tensor, int, Counter[str]]:
    """The teachers after ``train_steps`` outer steps.

    Learners of one step are all of one architecture, sampled anew, and so rows of one batch. A teacher one of whose learners
    comes to no numbers stays as it is in that step, and no other is concerned.

    Args:
        options: of the plugin.
        teachers: of the niches.
        doings: one row a teacher, to be imitated.
        networks: whose architectures are sampled, by name.
        domain: of the niches.
        rng: everything random hangs on it.

    Returns:
        The teachers; ``[N]`` float64 on the host, how far the last learners were from doing as was done, NaN where one
        failed; how often a teacher stayed as it was; and the counted work.
    """
    each, choices = options.learners, domain.outputs.kind == "discrete"
    rows = torch.arange(len(teachers)).repeat_interleave(each)
    on = onto(rows, doings.reward.device)
    keys = combine(teachers.keys[rows], torch.arange(each).repeat(len(teachers)))
    real, loss = doings.of(on), torch.full((len(rows),), torch.nan)
    taken = list[Tensor]()
    for step in range(options.train_steps):
        stream = rng.child(step)
        group = _learners(networks, domain, stream, keys, on.device)
        flat = flatten(teachers.leaves).requires_grad_()
        with torch.enable_grad():
            shown = lessons(options, teachers, flat, doings, domain, stream.child("stretches"))
            leaves = group.leaves(teach(group, shown.of(on), choices))
            loss = imitation(group.network, leaves, real, choices)
            (slope,) = torch.autograd.grad(loss.sum() / each, flat)
        teachers, sound = teachers.after(slope, options)
        taken.append(sound)
    work = options.train_steps * len(rows)
    shown_steps = options.steps * options.batch * options.length
    cost = Counter({"gradient_steps": work * options.steps + options.train_steps * len(teachers)})
    cost["examples"] = work * (shown_steps + int(real.alive[:, 0].numel()))
    lost, steps = to_host(loss, torch.stack(taken))
    off = torch.where(steps[-1], lost.double().reshape(-1, each).mean(dim=1), torch.nan)
    return replace(teachers, age=teachers.age + steps.sum(dim=0)), off, int((~steps).sum()), cost


def lessons(
    options: GtnNichesOptions, teachers: Teachers, flat: Tensor, doings: Doings | None, domain: aiga.Domain, rng: aiga.Stream
) -> Lessons:
    """What each teacher shows: made up, or cut out of what its niche's agent did; differentiable in ``flat`` ``[N, D]``.

    Args:
        options: of the plugin.
        teachers: of the niches.
        flat: what stands for the teachers' leaves.
        doings: one row a teacher; None where lessons are made up.
        domain: of the niches.
        rng: for stretches of lives.
    """
    leaves = unflatten(flat, teachers.leaves)
    if options.lessons == "lives":
        assert doings is not None, "stretches are cut out of lives"
        return cut_out(options, leaves, doings, rng.rows(teachers.keys))
    return teachers.lessons(options, leaves, domain.outputs, tuple(domain.inputs.shape))


def _learners(
    networks: Mapping[str, aiga.Network], domain: aiga.Domain, rng: aiga.Stream, keys: Tensor, device: torch.device
) -> Group:
    """A newborn of one sampled architecture for each of ``[P]`` keys."""
    name = sorted(networks)[int(rng.child("network").integers(0, len(networks), 1))]
    network = networks[name]
    structure: Structure = network.structure
    if hasattr(network, "space"):
        (structure,) = cast(Any, network).space.initial(rng.child("structure").rows(torch.zeros(1)), 1)
    layout = network.build(structure, domain.inputs, domain.outputs)
    born = Batch.of(Kind(name, structure), network.init(rng.child("born").rows(keys), layout, len(keys)))
    filled = padding.filled(network, born, domain.inputs, domain.outputs).to(device)
    return Group(network, filled, torch.arange(len(keys)))
