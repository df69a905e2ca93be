"""The network ``plastic-classifier``: what its trace takes up of pictures and their names, and what that changes."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga.testing import NetworkSuite
from aiga.testing.sameness import same, some
from aiga_plasticity import Classifier, PlasticClassifier

INPUTS, OUTPUTS = Space((1, 9, 9)), Space((3,), "discrete")
SMALL: dict[str, Any] = {"channels": [4, 6], "strides": [2, 1], "alpha_scale": 0.8, "eta": 0.3}
VARIANTS: list[dict[str, Any]] = [{}, {"rule": "decay"}, {"alpha": "shared"}, {"rule": "decay", "label": 2.5}]
each_variant = pytest.mark.parametrize("options", VARIANTS, ids=str)


def make(**options: Any) -> PlasticClassifier:
    return PlasticClassifier(Classifier.Options(**{**SMALL, **options}))


def agents(network: Network, count: int = 4) -> Leaves:
    return network.init(Stream(1), network.build(network.structure, INPUTS, OUTPUTS), count)


def leaf(leaves: Leaves, role: str) -> Tensor:
    (found,) = (value for name, value in leaves.items() if name.startswith("trace.") and name.endswith(role))
    return found


def without_plasticity(leaves: Leaves) -> Leaves:
    return {name: torch.zeros_like(value) if name.endswith(".alpha") else value for name, value in leaves.items()}


def shown(count: int = 4, times: int = 3) -> tuple[Tensor, Tensor]:
    """Pictures ``[B, T, 1, 9, 9]``, and a name of its own for each of three ``[B, T, 3]``."""
    return Stream(2).normal(count, times, 1, 9, 9), torch.eye(3)[:times].expand(count, -1, -1)


def taught(network: Network, leaves: Leaves, x: Tensor, names: Tensor) -> list[Life]:
    """Lives before the first picture and after each."""
    lives = [network.newborn(leaves)]
    for time in range(x.shape[1]):
        lives.append(network.step(leaves, lives[-1], Percept(x[:, time], target=names[:, time].to(x.dtype)))[1])
    return lives


class TestPlasticClassifier(NetworkSuite):
    inputs: ClassVar[Space] = Space((2, 11, 12))
    outputs: ClassVar[Space] = Space((3,), "discrete")

    @pytest.fixture(params=VARIANTS, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return make(**request.param)


def by_hand(leaves: Leaves, x: Tensor) -> Tensor:
    """``[B, F]`` features of pictures ``[B, 1, 9, 9]``, agent by agent."""
    rows = []
    for agent in range(len(x)):
        picture = x[agent, None]
        for part, stride in (("eye000.stride2", 2), ("eye001.stride1", 1)):
            kernel, bias = leaves[f"{part}.kernel"][agent], leaves[f"{part}.bias"][agent]
            picture = torch.tanh(torch.nn.functional.conv2d(picture, kernel, bias, stride=stride))
        rows.append(picture.flatten())
    return torch.stack(rows)


@each_variant
def test_a_trace_follows_features_and_names_as_its_rule_is_written(options: dict[str, Any]) -> None:
    network = make(**options)
    leaves, (x, names) = agents(network), shown()
    alpha = leaf(leaves, "alpha")
    alpha = alpha if alpha.ndim == 3 else alpha[:, None, None]
    label = options.get("label", 1000.0)
    lives = taught(network, leaves, x, names)
    for time in range(3):
        trace, seen = lives[time]["trace"], by_hand(leaves, x[:, time])
        sums = torch.einsum("bf,bfn->bn", seen, leaves["head.weight"] + alpha * trace)
        y = torch.softmax(sums + label * names[:, time], dim=1)[:, None]
        change = seen[:, :, None] * y - (trace if options.get("rule") == "decay" else trace * y.square())
        assert torch.allclose(lives[time + 1]["trace"], trace + 0.3 * change, atol=1e-5)
        said = network.step(leaves, lives[time], Percept(x[:, time]))[0].action
        assert torch.allclose(said, sums, atol=1e-5)
        told = network.step(leaves, lives[time], Percept(x[:, time], target=names[:, time]))[0].action
        assert torch.allclose(told, sums + label * names[:, time], atol=1e-3)


def test_without_a_target_a_name_is_the_networks_own() -> None:
    network = make()
    leaves, (x, _) = agents(network), shown()
    life = network.newborn(leaves)
    nothing, zeros = (
        network.step(leaves, life, Percept(x[:, 0], target=target))[1]["trace"] for target in (None, torch.zeros(4, 3))
    )
    assert torch.equal(nothing, zeros)
    assert bool(nothing.any())


@pytest.mark.parametrize("gradients", [False, True], ids=["exact", "fast"])
@each_variant
def test_without_plasticity_it_is_the_plain_classifier_to_the_bit(options: dict[str, Any], gradients: bool) -> None:
    network = make(**options)
    leaves, (x, names) = agents(network), shown()
    plain = {name: value.clone().requires_grad_(gradients) for name, value in without_plasticity(leaves).items()}
    newborn, *_, last = taught(network, plain, x, names)
    assert bool(last["trace"].any())
    assert torch.equal(network.answers(plain, last, x), network.answers(plain, newborn, x))
    assert not torch.equal(network.answers(leaves, last, x), network.answers(leaves, newborn, x))


def test_a_life_learns_any_names_that_it_is_told() -> None:
    network = make(alpha="shared", alpha_scale=1.0, eta=0.5)
    leaves, (x, names) = agents(network), shown()
    for turn in range(3):
        mine = names.roll(turn, dims=2)
        last = taught(network, leaves, x, mine)[-1]
        assert torch.equal(network.answers(leaves, last, x).argmax(dim=2), mine.argmax(dim=2))


@each_variant
def test_answers_are_those_of_steps_that_are_forgotten(options: dict[str, Any]) -> None:
    network = make(**options)
    leaves, (x, names) = agents(network), shown()
    life = taught(network, leaves, x, names)[-1]
    asked = [network.step(leaves, life, Percept(x[:, time]))[0].action for time in range(3)]
    assert torch.equal(network.answers(leaves, life, x), torch.stack(asked, dim=1))


def test_many_pictures_are_looked_at_in_pieces_and_no_bit_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiga_plasticity import classifier

    network = make()
    leaves, (x, names) = agents(network), shown()
    life, many = taught(network, leaves, x, names)[-1], Stream(3).normal(4, 11, 1, 9, 9)
    whole = network.answers(leaves, life, many)
    monkeypatch.setattr(classifier, "_PICTURES", 8)
    assert torch.equal(network.answers(leaves, life, many), whole)


@each_variant
def test_what_a_row_learns_and_answers_does_not_hang_on_its_mates(options: dict[str, Any]) -> None:
    network = make(**options)
    leaves, (x, names) = agents(network, 11), shown(11)

    def lived(rows: Tensor) -> dict[str, Tensor]:
        mine = some(leaves, rows)
        life = taught(network, mine, x[rows], names[rows])[-1]
        return {**life, "answers": network.answers(mine, life, x[rows])}

    whole = lived(torch.arange(11))
    for rows in (torch.arange(1), torch.arange(5, 6), torch.arange(10, -1, -3), torch.arange(1, 10)):
        assert same(lived(rows), some(whole, rows))


@each_variant
def test_gradients_flow_through_the_trace_as_they_should(options: dict[str, Any]) -> None:
    network = make(**{**options, "channels": [2], "strides": [4], "label": 1.5})
    leaves = {name: value.double().requires_grad_() for name, value in agents(network, 2).items()}
    x, names = (part.double() for part in shown(2))

    def asked(*values: Tensor) -> Tensor:
        mine = dict(zip(leaves, values, strict=True))
        return network.answers(mine, taught(network, mine, x, names)[-1], x)

    assert torch.autograd.gradcheck(asked, tuple(leaves.values()))


def test_fast_and_exact_ways_agree_but_for_rounding() -> None:
    network = make()
    leaves, (x, names) = agents(network), shown()
    wanting = {name: value.clone().requires_grad_() for name, value in leaves.items()}
    exact, fast = (network.answers(mine, taught(network, mine, x, names)[-1], x) for mine in (leaves, wanting))
    assert torch.allclose(exact, fast, atol=1e-5)


@pytest.mark.parametrize(
    ("structure", "inputs", "outputs", "message"),
    [
        ({"version": 2}, INPUTS, OUTPUTS, "version 1, found version 2"),
        ({"rule": "clip"}, INPUTS, OUTPUTS, "no rule 'clip'; it has decay, oja"),
        ({"strides": [2]}, INPUTS, OUTPUTS, "every layer has channels and a stride; found 2 and 1"),
        ({}, Space((81,)), OUTPUTS, r"sees pictures \(channels, height, width\), the domain shows \(81,\)"),
        ({}, INPUTS, Space((3,)), "answers with a class, the domain asks for continuous"),
        ({}, Space((1, 6, 9)), OUTPUTS, r"layer 1 has nothing left to see in 2 x 4 positions\. Write fewer"),
    ],
)
def test_what_cannot_be_built_is_refused(structure: dict[str, Any], inputs: Space, outputs: Space, message: str) -> None:
    network = make()
    with pytest.raises(ValueError, match=message):
        network.build({**network.structure, **structure}, inputs, outputs)


def test_layers_without_a_stride_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"strides has 4 numbers for 2 layers of channels\. Write one for each layer\."):
        Classifier.Options(channels=[4, 4])


def test_episodes_teach_it_to_tell_what_was_shown_once_and_nothing_does_without_plasticity() -> None:
    network = make(alpha_scale=1.0, eta=0.1)
    able, unable = agents(network, 1), without_plasticity(agents(network, 1))
    noise = torch.where(torch.arange(9) < 5, 0.7, 3.0)

    def episode(lives: int, *key: int | str) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures to learn and to be asked about ``[B, 3, 1, 9, 9]``, whose right half is noise; names ``[B, 3, 3]``."""
        drawn = Stream(4).child(*key)
        classes = drawn.normal(lives, 3, 1, 9, 9)
        learnt, asked = (classes + noise * drawn.child(view).normal(lives, 3, 1, 9, 9) for view in ("learnt", "asked"))
        return learnt, asked, torch.eye(3)[drawn.child("order").uniform(lives, 3).argsort(dim=1)]

    def said(leaves: Leaves, lives: int, *key: int | str) -> tuple[Tensor, Tensor]:
        learnt, asked, names = episode(lives, *key)
        mine = {name: value.expand(lives, *value.shape[1:]) for name, value in leaves.items()}
        return network.answers(mine, taught(network, mine, learnt, names)[-1], asked), names.argmax(dim=2)

    def right(leaves: Leaves) -> float:
        logits, names = said({name: value.detach() for name, value in leaves.items()}, 200, "judged")
        return float((logits.argmax(dim=2) == names).double().mean())

    before = right(able)
    for leaves in (able, unable):
        learnt = [value.requires_grad_() for name, value in leaves.items() if leaves is able or not name.endswith(".alpha")]
        adam = torch.optim.Adam(learnt, lr=0.01)
        for step in range(40):
            logits, names = said(leaves, 32, step)
            adam.zero_grad()
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), names.flatten()).backward()
            adam.step()
    assert right(able) > before + 0.15
    assert right(able) > 0.6
    assert abs(right(unable) - 1 / 3) < 0.08
