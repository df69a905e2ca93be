"""How trained learners are judged on streams and episodes of classes that none was trained on, and what their units do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

import torch
from torch import Tensor

from aiga import Batch, Contestant, Pairs, Population, Scores, Stream
from aiga.data import Leaves
from aiga_characters.domain import CharactersDomain
from aiga_characters.genome import TESTS
from aiga_characters.images import Pictures
from aiga_characters.lessons import Lessons
from aiga_characters.recipes import DRAWERS

RATES: Final = (1e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)  # step sizes within a life that are tried
CHOSEN_AT: Final = 100  # classes of the longest stream that a step size is chosen on: longer ones take it over
ACTIVE: Final = 0.01  # a unit above this counts as active (Beaulieu et al. 2020)
NEIGHBOURS: Final = 5
_SHOWN: Final = DRAWERS - TESTS  # images of a class that neighbours are sought among; the others are asked about
_PICTURES: Final = 200

Order = Literal["sequential", "shuffled"]
ORDERS: Final[tuple[Order, Order]] = ("sequential", "shuffled")  # as a stream is meant, and as the oracle meets it


class Judged(NamedTuple):
    """Lives of ``A`` agents on one kind of stream, in percent.

    Attributes:
        rate: ``[A]``, the step size that was chosen for each; NaN for a network that has none to choose.
        test: ``[A]``, of images that were not learnt from.
        train: ``[A]``, of those that were.
        by_age: ``[A, 10]``, the classes learnt last first.
    """

    rate: Tensor
    test: Tensor
    train: Tensor
    by_age: Tensor


class Features(NamedTuple):
    """What ``A`` agents' units are like, in percent, ``[A]`` each.

    Attributes:
        active: units above ``ACTIVE``, of all, in the mean picture.
        dead: units above it in no picture.
        neighbours: pictures told by the nearest ones among those of all classes.
        ranked: ``[A, F]``, the mean activity of the most active unit of a picture, of the second, and so on; no percentage.
    """

    active: Tensor
    dead: Tensor
    neighbours: Tensor
    ranked: Tensor


def judge(
    domain: CharactersDomain, contestant: Contestant, order: Order, lengths: Sequence[int], draws: int = 1
) -> dict[int, Judged]:
    """By its number of classes, lives of every agent on a named stream, with classes of its own in each draw.

    A network with the capability ``anew`` begins its lives with a head that knows no class, and with the step size of
    ``RATES`` by which each agent named most of the images that it had learnt from, in a draw that is not reported; of streams
    of more than ``CHOSEN_AT`` classes, in one of so many. No image that is learnt from in one draw tests a life in another.

    Args:
        domain: that the agents live in.
        contestant: the agents.
        order: of the streams' images.
        lengths: of the streams, in classes.
        draws: of classes that are reported; the mean over them is.
    """
    rates, judged = dict[int, Tensor](), dict[int, Judged]()
    for length in lengths:
        short, leaves = min(length, CHOSEN_AT), contestant.agents.leaves
        if short not in rates:
            rates[short] = _chosen(domain, contestant, f"{order}-{short}")
        if hasattr(contestant.network, "anew"):
            leaves = _able(contestant.network).anew(leaves, rates[short])
        envs = domain.named(f"{order}-{length}", 1 + draws).take(torch.arange(1, 1 + draws))
        scores = _lived(domain, contestant, leaves, envs)
        columns = [scores.columns[name].double() for name in ("fitness", "train_accuracy", "by_age")]
        means = [each.reshape(draws, -1, *each.shape[1:]).mean(dim=0) for each in columns]
        judged[length] = Judged(rates[short], *means)
    return judged


def _chosen(domain: CharactersDomain, contestant: Contestant, stream: str) -> Tensor:
    """``[A]`` step sizes, by the images learnt from in the first draw of a stream."""
    count = len(contestant.agents)
    if not hasattr(contestant.network, "anew"):
        return torch.full((count,), torch.nan, dtype=torch.float64)
    tried = torch.tensor(RATES, dtype=torch.float64)
    many = {name: leaf.repeat_interleave(len(tried), dim=0) for name, leaf in contestant.agents.leaves.items()}
    many = _able(contestant.network).anew(many, tried.repeat(count))
    trained = _lived(domain, contestant, many, domain.named(stream)).columns["train_accuracy"]
    return tried[trained.reshape(count, -1).nan_to_num(nan=-1.0).argmax(dim=1)]


def _lived(domain: CharactersDomain, contestant: Contestant, leaves: Leaves, envs: Batch) -> Scores:
    """Scores of every environment with every agent, environment after environment."""
    pairs = Pairs.cross(Population((envs,)), Population((Batch.of(contestant.agents.kind, leaves),)))
    answer = domain.live(pairs, contestant.network, torch.zeros(len(pairs), dtype=torch.int64))
    assert isinstance(answer, Scores), "nothing was to be recorded"
    return answer


def features(domain: CharactersDomain, contestant: Contestant, rng: Stream, classes: int) -> dict[str, Features]:
    """By the name of each kind of units, what these are like on images of random classes of the evaluation split.

    Empty for a network without the capability ``features``.
    """
    if not hasattr(contestant.network, "features"):
        return {}
    characters, leaves = domain.characters, contestant.agents.leaves
    split = characters.classes("evaluation")
    drawn = rng.permutation(len(split))[:classes] + split.start
    device = contestant.agents.device
    x = (characters.images[drawn].to(device).float() / 255.0).flatten(0, 1)[None, :, None]
    pieces = [
        _able(contestant.network).features(leaves, some.expand(len(contestant.agents), *some.shape[1:]))
        for some in torch.split(x, _PICTURES, dim=1)
    ]
    return {name: _of_units(torch.cat([piece[name] for piece in pieces], dim=1), len(drawn)) for name in pieces[0]}


def _of_units(units: Tensor, classes: int) -> Features:
    above = units > ACTIVE
    return Features(
        100.0 * above.double().mean(dim=(1, 2)).cpu(),
        100.0 * (~above.any(dim=1)).double().mean(dim=1).cpu(),
        100.0 * neighbours(units.reshape(len(units), classes, -1, units.shape[2])).cpu(),
        units.sort(dim=2, descending=True).values.double().mean(dim=1).cpu(),
    )


def neighbours(units: Tensor) -> Tensor:
    """``[A]``: the share of the last images of ``[A, C, 20, F]`` whose nearest among the first are mostly of their class."""
    classes = units.shape[1]
    known, asked = units[:, :, :_SHOWN].flatten(1, 2), units[:, :, _SHOWN:].flatten(1, 2)
    near = torch.cdist(asked, known).topk(NEIGHBOURS, largest=False).indices // _SHOWN
    wanted = torch.arange(classes, device=units.device).repeat_interleave(units.shape[2] - _SHOWN)
    return (near.mode(dim=2).values == wanted).double().mean(dim=1)


def episodes(domain: CharactersDomain, contestant: Contestant, stream: str, rng: Stream, count: int) -> Tensor:
    """``[A]`` percent of test images named rightly in ``count`` few-shot episodes, the same for every agent."""
    agents = len(contestant.agents)
    pairs, seeds = _alike(domain, contestant.agents, stream, rng, count)
    answer = domain.live(pairs, contestant.network, seeds)
    assert isinstance(answer, Scores), "nothing was to be recorded"
    return answer.columns["fitness"].double().reshape(agents, count).mean(dim=1)


def pixels(domain: CharactersDomain, stream: str, rng: Stream, count: int) -> float:
    """Percent of these episodes' test images that the nearest image learnt from, by pixels, tells."""
    pairs, seeds = _alike(domain, None, stream, rng, count)
    lessons = Lessons.of(pairs, seeds, domain.characters)
    classes, examples = lessons.classes.shape[1], int(lessons.genes["examples"][0])
    drawers, label = lessons.drawers(), torch.arange(classes)
    pictures = Pictures(domain.characters, torch.device("cpu"))
    shown, asked = (
        pictures.show(lessons, label.repeat_interleave(by.shape[2]).expand(count, -1), by.flatten(1)).flatten(2)
        for by in (drawers[..., :examples], drawers[..., DRAWERS - TESTS :])
    )
    nearest = torch.cdist(asked, shown).argmin(dim=2) // examples
    return 100.0 * float((nearest == label.repeat_interleave(TESTS)).double().mean())


def _alike(domain: CharactersDomain, agents: Batch | None, stream: str, rng: Stream, count: int) -> tuple[Pairs, Tensor]:
    """``count`` lives of each agent, and their seeds; the same lives for all."""
    envs, many = Population((domain.named(stream),)), 1 if agents is None else len(agents)
    row = torch.arange(many).repeat_interleave(count)
    seeds = rng.words(count).repeat(many)
    population = Population() if agents is None else Population((agents,))
    return Pairs.of(envs, population, torch.zeros_like(row), row), seeds


def _able(network: Any) -> Any:
    """The network, with capabilities that its protocol does not name."""
    return network
