"""What is compared of trained learners: what they know after so many classes, beside an oracle; and what they look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from aiga import Batch, Contestant, Pairs, Population, Report, Stream
from aiga.forgetting import forgetful
from aiga.plots import Curve, Panel, gallery, plot
from aiga_characters.domain import CharactersDomain
from aiga_characters.judging import ORDERS, Features, Judged, episodes, features, judge, pixels
from aiga_characters.lives import AGES
from aiga_characters.render import exam, learnt

EPISODES: Final = 200
PROBED: Final = 100  # classes whose images units are looked at on


def report(domain: CharactersDomain, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
    """Of few-shot episodes where the domain's searches start from such, else of streams."""
    if domain.exam.newborn:
        newborn = {f"{name}, newborn": _newborn(domain, each, rng.child("newborn", name)) for name, each in contestants.items()}
        contestants = {**contestants, **newborn}
    if domain.start.endswith("-shot-training"):
        return _few_shot(domain, contestants, rng, domain.start.removesuffix("-training"))
    return _streams(domain, contestants, rng)


def _newborn(domain: CharactersDomain, trained: Contestant, rng: Stream) -> Contestant:
    """As many agents of the same kind as were trained, as they are born."""
    agents, network = trained.agents, trained.network
    layout = network.build(agents.kind.structure, domain.inputs, domain.outputs)
    return Contestant(network, Batch.of(agents.kind, network.init(rng, layout, len(agents))).to(agents.device))


def _streams(domain: CharactersDomain, contestants: Mapping[str, Contestant], rng: Stream) -> Report:
    draws, lengths = domain.exam.draws, [each for each in domain.exam.classes if f"sequential-{each}" in domain.names]
    title = "classes remembered, learnt one after another within one life"
    if not lengths:
        return Report(title, {}, notes=(f"no stream that agents are judged on has at most {domain.labels} classes",))
    judged, oracle = (
        {name: judge(domain, each, order, lengths, draws) for name, each in contestants.items()} for order in ORDERS
    )
    last = lengths[-1]
    units = {name: features(domain, each, rng.child("probe"), PROBED) for name, each in contestants.items()}
    rows = {
        name: {
            **{f"{length} classes %": _plain(judged[name][length].test) for length in lengths},
            "learnt from %": _plain(judged[name][last].train),
            "oracle %": _plain(oracle[name][last].test),
            "below it %": _plain(100.0 * (1.0 - judged[name][last].test / oracle[name][last].test)),
            **{f"{kind} active %": _plain(each.active) for kind, each in units[name].items()},
            **{f"{kind} dead %": _plain(each.dead) for kind, each in units[name].items() if float(each.dead.max()) > 0.0},
            "parameters": (float(contestants[name].parameters),),
        }
        for name in contestants
    }
    rows["chance"] = {f"{length} classes %": (100.0 / length,) for length in lengths}
    pictures = {"classes": _by_classes(judged, oracle), "age": _by_age(judged, last)}
    if any(units.values()):
        pictures["sparsity"] = _by_rank(units)
    notes = (
        "test images named rightly after so many classes of the evaluation split, learnt one after another; "
        f"means over {draws} draws of classes",
        f"learnt from, oracle, below it: at {last} classes; the oracle learns the same images in random order",
        "step sizes within these lives were chosen by the images learnt from, in draws of classes that are not reported",
        f"active: units above 0.01 in the mean image of {PROBED} classes",
        *(
            f"{each} classes are left out: there are {domain.labels} labels"
            for each in domain.exam.classes
            if each not in lengths
        ),
    )
    return Report(title, rows, pictures, notes)


def _few_shot(domain: CharactersDomain, contestants: Mapping[str, Contestant], rng: Stream, stream: str) -> Report:
    lives = rng.child("episodes")
    right = {name: episodes(domain, each, stream, lives, EPISODES) for name, each in contestants.items()}
    rows = {name: {"right %": _plain(right[name])} for name in contestants}
    for name, each in contestants.items():
        still = forgetful(each.network)
        if still is not None:
            without = episodes(domain, Contestant(still, each.agents), stream, lives, EPISODES)
            rows[name]["traces at zero, right %"] = _plain(without)
        rows[name]["parameters"] = (float(each.parameters),)
    ways = int(domain.named(stream).leaves["classes"][0])
    rows["nearest pixels"] = {"right %": (pixels(domain, stream, lives, EPISODES),)}
    rows["chance"] = {"right %": (100.0 / ways,)}
    notes = (f"test images named rightly in {EPISODES} episodes of classes of the evaluation split, the same for every agent",)
    return Report(f"{stream} episodes", rows, {"episode": _episode(domain, contestants, right, lives, stream)}, notes)


def _episode(
    domain: CharactersDomain, contestants: Mapping[str, Contestant], right: Mapping[str, Tensor], rng: Stream, stream: str
) -> bytes:
    """The first episode: what is learnt, and each network's middle agent's answers, framed by whether they are right."""
    columns, seed = dict[str, list[NDArray[np.uint8]]](), rng.words(1)
    for name, each in contestants.items():
        middle = right[name].argsort()[len(right[name]) // 2].reshape(1)
        envs, agents = Population((domain.named(stream),)), Population((each.agents.take(middle),))
        lived = domain.live(Pairs.cross(envs, agents), each.network, seed, record=True)
        assert isinstance(lived, tuple), "a recorded life comes with its trajectory"
        columns.setdefault("learnt", [learnt(lived[1])])
        columns[name] = [exam(lived[1])]
    return gallery(columns)


def _by_classes(judged: Mapping[str, Mapping[int, Judged]], oracle: Mapping[str, Mapping[int, Judged]]) -> bytes:
    curves = {name: _tests(lengths) for name, lengths in judged.items()}
    curves |= {f"{name}, in any order": _tests(lengths, like=name) for name, lengths in oracle.items()}
    lengths = list(next(iter(judged.values())))
    x, y = "classes learnt, one after another", "test images right, %"
    return plot(Panel("What is remembered", x, y, curves, lengths, log=True))


def _tests(lengths: Mapping[int, Judged], like: str = "") -> Curve:
    test = torch.stack([each.test for each in lengths.values()], dim=1)
    return Curve(np.array(list(lengths)), test.numpy(), dashed=bool(like), like=like)


def _by_age(judged: Mapping[str, Mapping[int, Judged]], last: int) -> bytes:
    tenths = np.arange(1, AGES + 1)
    curves = {name: Curve(tenths, each[last].by_age.flip(1).numpy()) for name, each in judged.items()}
    title = f"What is remembered of {last} classes"
    return plot(Panel(title, "tenth of the classes, in the order learnt", "test images right, %", curves, tenths.tolist()))


def _by_rank(units: Mapping[str, Mapping[str, Features]]) -> bytes:
    kinds = list(dict.fromkeys(kind for each in units.values() for kind in each))
    panels = [
        Panel(
            f"Activity, {kind}",
            "units of a picture, the most active first, %",
            "mean activity",
            {name: _ranked(each[kind]) for name, each in units.items() if kind in each},
        )
        for kind in kinds
    ]
    return plot(*panels)


def _ranked(each: Features) -> Curve:
    return Curve(np.linspace(0.0, 100.0, each.ranked.shape[1]), each.ranked.numpy())


def _plain(values: Tensor) -> tuple[float, ...]:
    return tuple(values.tolist())
