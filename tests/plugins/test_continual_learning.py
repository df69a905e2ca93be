from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck
from torch.nn import functional

from aiga import Network, Plugin, Space, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga.testing.sameness import same, some
from aiga_continual import Anml, ContinualNetwork, Maml, Oml, fresh, relearning
from aiga_continual import network as networks
from aiga_continual.architecture import plan_of
from aiga_continual.descent import descend
from aiga_continual.vision import features

PICTURES, NAMES = Space((1, 7, 7)), Space((4,), "discrete")
TINY: dict[str, Any] = {"channels": [3, 2], "strides": [1, 1], "pools": [1, 1]}
EVERY = [
    (Oml, {}),
    (Oml, {"hidden": [3]}),
    (Anml, {"gate_channels": [2, 2]}),
    (Anml, {"gate_channels": [2, 2], "adapts": "prediction"}),
    (Maml, {}),
]
every_learner = pytest.mark.parametrize(("plugin", "options"), EVERY, ids=["oml", "deep", "anml", "anml-prediction", "maml"])


def network(plugin: type[Plugin] = Oml, **options: Any) -> ContinualNetwork:
    made: Any = plugin(plugin.Options(**{**TINY, "inner_lr": 0.3, **options}))
    return ContinualNetwork(made.name, made.options.structure(), made.options.inner_lr)


def agents(net: Network, count: int = 2, dtype: torch.dtype = torch.float64) -> Leaves:
    leaves = net.init(Stream(1), net.build(net.structure, PICTURES, NAMES), count)
    return {name: leaf.to(dtype) for name, leaf in leaves.items()}


def stream(count: int = 2, length: int = 6, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    keyed = Stream(2).rows(torch.arange(count))
    return keyed.child("x").normal(length, *PICTURES.shape).to(dtype), keyed.child("y").integers(0, 4, length)


def loss(net: ContinualNetwork, leaves: Leaves, x: Tensor, y: Tensor, asked: Tensor, wanted: Tensor) -> Tensor:
    life = net.learn(leaves, net.newborn(leaves), x, y, create_graph=True)
    return functional.cross_entropy(net.answers(leaves, life, asked).flatten(0, 1), wanted.flatten())


def slopes(net: ContinualNetwork, leaves: Leaves) -> dict[str, Tensor]:
    """Gradients of the loss on pictures of two classes after learning others."""
    leaves = {name: leaf.detach().clone().requires_grad_() for name, leaf in leaves.items()}
    (x, y), (asked, wanted) = stream(), stream(length=4)
    got = torch.autograd.grad(loss(net, leaves, x, y, asked + 0.5, wanted), list(leaves.values()), allow_unused=True)
    return {n: torch.zeros_like(leaves[n]) if g is None else g for n, g in zip(leaves, got, strict=True)}


def by_hand(net: ContinualNetwork, leaves: Leaves, x: Tensor, y: Tensor, rate: float) -> Life:
    """A linear head after SGD, example by example, with the gradient of autograd; one agent."""
    h = features(leaves, plan_of(leaves), x, exact=False)[0]
    innate = {name: leaves[f"head.000.{name}"][0] for name in ("weight", "bias")}
    now, met = dict(innate), torch.zeros(4, dtype=x.dtype)
    for t, label in enumerate(y[0].tolist()):
        if label < 0:
            continue
        if not met[label]:
            met[label] = 1.0
            now = {name: part.index_fill(-1, torch.tensor(label), 0.0) for name, part in now.items()}
        held = {name: part.clone().requires_grad_() for name, part in now.items()}
        wrong = functional.cross_entropy((h[t] @ held["weight"] + held["bias"])[None], y[0, t : t + 1])
        steps = torch.autograd.grad(wrong, list(held.values()))
        now = {name: (part - rate * step).detach() for (name, part), step in zip(held.items(), steps, strict=True)}
    fast = {f"fast.head.000.{name}": (now[name] - innate[name] * (1.0 - met))[None] for name in now}
    return {**fast, "met": met[None]}


def close(one: Life, other: Life, atol: float = 1e-9) -> bool:
    return one.keys() == other.keys() and all(torch.allclose(one[name], other[name], atol=atol) for name in one)


@pytest.mark.parametrize("length", [1, 7, 32, 75])
def test_the_closed_form_is_sgd_one_example_after_another(length: int) -> None:
    net = network()
    leaves, (x, y) = relearning(agents(net, 1), rate=0.3), stream(1, length)
    y[0, 5::9] = -1  # no example there
    wanted = by_hand(net, leaves, x, y, float(leaves[plan_of(leaves).rate].exp()))
    for create_graph in (False, True):
        assert close(net.learn(leaves, net.newborn(leaves), x, y, create_graph), wanted)


def test_the_closed_form_is_the_unrolled_loop_in_its_gradients_too() -> None:
    net = network(Anml, gate_channels=[2, 2])
    leaves, (x, y) = {n: leaf.requires_grad_() for n, leaf in agents(net).items()}, stream()
    plan = plan_of(leaves)
    h, rate = features(leaves, plan, x, False), leaves[plan.rate].detach().exp()
    logits = partial(networks._from_features, leaves, plan, h, False)
    looped = descend(logits, net.newborn(leaves), y, rate, partial(networks._begin, plan), create_graph=True)
    closed = net.learn(leaves, net.newborn(leaves), x, y, create_graph=True)
    assert close(closed, looped, atol=1e-6)
    weight = "fast.head.000.weight"
    wanted = [leaf for name, leaf in leaves.items() if name != plan.rate]
    both = [torch.autograd.grad(life[weight].square().sum(), wanted, allow_unused=True) for life in (closed, looped)]
    pairs = [(one, other) for one, other in zip(*both, strict=True) if one is not None]
    assert len(pairs) > 6
    assert all(torch.allclose(one, other, atol=1e-6) for one, other in pairs)


def test_a_life_may_be_learnt_in_parts() -> None:
    net = network(Anml, gate_channels=[2, 2])
    leaves, (x, y) = agents(net), stream(length=50)
    whole = net.learn(leaves, net.newborn(leaves), x, y)
    first = net.learn(leaves, net.newborn(leaves), x[:, :19], y[:, :19])
    assert close(net.learn(leaves, first, x[:, 19:], y[:, 19:]), whole)


@every_learner
def test_gradients_go_through_the_inner_loop(plugin: type[Plugin], options: dict[str, Any]) -> None:
    net = network(plugin, **options, rate="learned")
    leaves, (x, y), (asked, wanted) = agents(net, 1), stream(1, 3), stream(1, 2)
    names = sorted(leaves)

    def of(*given: Tensor) -> Tensor:
        return loss(net, dict(zip(names, given, strict=True)), x, y, asked + 0.5, wanted)

    assert gradcheck(of, [leaves[name].clone().requires_grad_() for name in names], atol=1e-6)


@every_learner
def test_first_order_learns_the_same_and_differs_in_the_gradient(plugin: type[Plugin], options: dict[str, Any]) -> None:
    net = network(plugin, **options)
    leaves, (x, y) = agents(net), stream()
    second, first = relearning(leaves, order="second"), relearning(leaves, order="first")
    assert same(*(net.learn(each, net.newborn(each), x, y) for each in (second, first)))
    one, two = slopes(net, second), slopes(net, first)
    kernel = "features.000.stride1.pool1.kernel"
    assert float((one[kernel] - two[kernel]).abs().max()) > 1e-5
    assert float(two[kernel].abs().max()) > 1e-5


def test_first_order_takes_the_inner_gradient_for_a_constant() -> None:
    net = network(Maml, order="first")
    leaves, (x, y), (asked, wanted) = agents(net), stream(), stream(length=4)
    life = {n: part.detach() for n, part in net.learn(leaves, net.newborn(leaves), x, y).items()}
    held = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
    after = functional.cross_entropy(net.answers(held, life, asked + 0.5).flatten(0, 1), wanted.flatten())
    got = torch.autograd.grad(after, list(held.values()), allow_unused=True)
    taken = slopes(net, leaves)
    assert all(torch.allclose(taken[n], g, atol=1e-9) for n, g in zip(held, got, strict=True) if g is not None)


@pytest.mark.parametrize("rate", ["fixed", "learned"])
def test_the_inner_rate_is_learned_where_the_structure_says_so(rate: str) -> None:
    for plugin in (Oml, Maml):
        net = network(plugin, rate=rate)
        leaves = agents(net)
        moved = slopes(net, leaves)[plan_of(leaves).rate]
        assert bool((moved != 0).all()) is (rate == "learned")


@every_learner
def test_a_life_leaves_what_is_innate_as_it_was(plugin: type[Plugin], options: dict[str, Any]) -> None:
    net = network(plugin, **options)
    leaves, (x, y) = agents(net), stream()
    life = net.newborn(leaves)
    before = [{n: part.clone() for n, part in each.items()} for each in (leaves, life)]
    learnt = net.learn(leaves, life, x, y)
    net.answers(leaves, learnt, x)
    net.learn({n: leaf.requires_grad_() for n, leaf in leaves.items()}, life, x, y, create_graph=True)
    assert same(leaves, before[0])
    assert same(life, before[1])
    assert not any(part.requires_grad for part in learnt.values())
    assert all(bool(part.any()) for name, part in learnt.items() if name != "met" or plugin is not Maml)


@every_learner
def test_what_one_row_learns_touches_no_other(plugin: type[Plugin], options: dict[str, Any]) -> None:
    net = network(plugin, **options)
    leaves, (x, y) = agents(net), stream()
    other = x.clone()
    other[1] += 1.0
    here, there = (net.learn(leaves, net.newborn(leaves), each, y, create_graph=True) for each in (x, other))
    assert same(some(here, torch.tensor([0])), some(there, torch.tensor([0])))
    assert not same(some(here, torch.tensor([1])), some(there, torch.tensor([1])))


@every_learner
def test_a_row_without_an_example_learns_nothing_then(plugin: type[Plugin], options: dict[str, Any]) -> None:
    net = network(plugin, **options)
    leaves, (x, y) = agents(net), stream()
    short = net.learn(leaves, net.newborn(leaves), x[:, :4], y[:, :4])
    y[:, 4:] = -1
    assert close(net.learn(leaves, net.newborn(leaves), x, y), short)
    assert not any(bool(part.any()) for part in net.learn(leaves, net.newborn(leaves), x, torch.full_like(y, -1)).values())


def test_a_class_begins_anew_when_a_life_first_meets_it() -> None:
    net = network()
    leaves, (x, _) = agents(net), stream(length=3)
    y = torch.tensor([[2, 2, 1], [0, 0, 0]])
    learnt = net.learn(leaves, net.newborn(leaves), x, y)
    assert learnt["met"].tolist() == [[0, 1, 1, 0], [1, 0, 0, 0]]
    strange = {n: leaf + 9.0 * (torch.arange(4) == 2) if n.startswith("head.") else leaf for n, leaf in leaves.items()}
    other = net.learn(strange, net.newborn(strange), x, y)
    answers = [net.answers(each, life, x)[0] for each, life in ((leaves, learnt), (strange, other))]
    assert torch.allclose(*answers), "an innate row shows through that was put aside"
    innate = network(rows="innate")
    kept = agents(innate)
    assert not bool(innate.learn(kept, innate.newborn(kept), x, y)["met"].any())


def test_classes_not_met_keep_their_innate_rows() -> None:
    net = network()
    leaves, (x, _) = agents(net), stream()
    y = torch.ones(2, 6, dtype=torch.int64)
    one, all_ = (net.answers(each, net.learn(each, net.newborn(each), x, y), x) for each in (leaves, fresh(leaves)))
    assert not torch.allclose(one[..., [0, 2, 3]], all_[..., [0, 2, 3]])


def test_a_gate_does_not_change_within_a_life() -> None:
    net = network(Anml, gate_channels=[2, 2], adapts="prediction")
    assert {name.split(".")[1] for name in net.newborn(agents(net)) if name != "met"} == {"features", "head"}


def test_agents_on_a_graphics_card_learn_as_those_on_the_host_do() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for plugin, options in EVERY:
        net = network(plugin, **options)
        leaves, (x, y) = agents(net), stream()
        away = {name: leaf.cuda() for name, leaf in leaves.items()}
        there = net.learn(away, net.newborn(away), x.cuda(), y.cuda())
        assert close({n: part.cpu() for n, part in there.items()}, net.learn(leaves, net.newborn(leaves), x, y), atol=1e-6)
