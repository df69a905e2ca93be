from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from aiga import Network, Plugin, Space, Stream
from aiga.components import Life
from aiga.data import Leaves
from aiga.testing import NetworkSuite
from aiga.testing.sameness import same, some
from aiga_continual import Anml, ContinualNetwork, Maml, Oml, fresh, relearning
from aiga_continual.architecture import plan_of

PICTURES, NAMES = Space((1, 12, 12)), Space((4,), "discrete")
SMALL: dict[str, Any] = {"channels": [5, 6], "strides": [2, 1], "pools": [1, 1]}
GATED: dict[str, Any] = {**SMALL, "gate_channels": [3, 3]}


def network(plugin: type[Plugin] = Oml, **options: Any) -> ContinualNetwork:
    small = GATED if plugin is Anml and options.get("gate") != "one" else SMALL
    made: Any = plugin(plugin.Options(**{**small, **options}))
    return ContinualNetwork(made.name, made.options.structure(), made.options.inner_lr)


def agents(net: Network, count: int = 3, dtype: torch.dtype = torch.float32) -> Leaves:
    leaves = net.init(Stream(1), net.build(net.structure, PICTURES, NAMES), count)
    return {name: leaf.to(dtype) for name, leaf in leaves.items()}


def stream(count: int = 3, length: int = 9, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    keyed = Stream(2).rows(torch.arange(count))
    return keyed.child("x").normal(length, *PICTURES.shape).to(dtype), keyed.child("y").integers(0, 4, length)


class _Suite(NetworkSuite):
    inputs = PICTURES
    outputs = NAMES
    plugin: ClassVar[type[Plugin]] = Oml
    options: ClassVar[dict[str, Any]] = {}

    @pytest.fixture
    def network(self) -> Network:
        return network(self.plugin, **self.options)

    def test_a_row_learns_the_same_beside_anybody(self, network: ContinualNetwork, leaves: Leaves) -> None:
        x, y = Stream(4).normal(self.rows, 40, *PICTURES.shape), Stream(5).integers(0, 4, self.rows, 40)
        x, y = (x, y) if network.structure["adapts"] == "head" else (x[:, :3], y[:, :3])
        whole = network.learn(leaves, network.newborn(leaves), x, y)
        asked = network.answers(leaves, whole, x)
        for rows in (torch.arange(self.rows - 1, -1, -1), torch.tensor([5]), torch.tensor([1, 2, 7])):
            mine = some(leaves, rows)
            life = network.learn(mine, network.newborn(mine), x[rows], y[rows])
            assert same(life, some(whole, rows))
            assert torch.equal(network.answers(mine, life, x[rows]), asked[rows])
            assert torch.equal(network.answers(mine, life, x[rows, :1]), asked[rows, :1])


class TestOml(_Suite): ...


class TestDeepOml(_Suite):
    options: ClassVar[dict[str, Any]] = {"hidden": [7]}


class TestAnml(_Suite):
    plugin = Anml


class TestAnmlThatAdaptsItsPredictions(_Suite):
    plugin = Anml
    options: ClassVar[dict[str, Any]] = {"adapts": "prediction"}


class TestRandomGate(_Suite):
    plugin = Anml
    options: ClassVar[dict[str, Any]] = {"gate": "random"}


class TestMaml(_Suite):
    plugin = Maml


def test_a_picture_is_looked_at_by_itself() -> None:
    net = network(Anml)
    leaves, (x, _) = agents(net), stream()
    life = net.newborn(leaves)
    together = net.answers(leaves, life, x)
    assert torch.equal(net.answers(leaves, life, x.flip(1)), together.flip(1))
    wanting = {name: leaf.clone().requires_grad_() for name, leaf in leaves.items()}
    assert torch.allclose(net.answers(wanting, life, x), together, atol=1e-5), "the fast way differs from the exact one"


def test_brightness_and_contrast_of_a_picture_make_no_difference() -> None:
    net = network()
    leaves, (x, _) = agents(net), stream()
    life = net.newborn(leaves)
    assert torch.allclose(net.answers(leaves, life, 3.0 * x + 2.0), net.answers(leaves, life, x), atol=1e-3)


def test_a_gate_of_one_is_oml_and_a_learned_gate_is_not() -> None:
    plain, gated = network(Oml), network(Anml, gate="one")
    leaves, (x, _) = agents(plain), stream()
    assert plain.structure == gated.structure
    assert torch.equal(plain.answers(leaves, plain.newborn(leaves), x), gated.answers(leaves, gated.newborn(leaves), x))
    assert any(name.startswith("gate.learned.") for name in agents(network(Anml)))


def test_the_gate_multiplies_the_features() -> None:
    net = network(Anml)
    leaves, (x, _) = agents(net), stream()
    life, bias = net.newborn(leaves), "gate.learned.out.bias"
    shut = net.answers({**leaves, bias: leaves[bias] - 100.0}, life, x)
    assert torch.allclose(shut, torch.zeros_like(shut), atol=1e-6)
    opened = net.answers({**leaves, bias: leaves[bias] + 100.0}, life, x)
    ungated = {name: leaf for name, leaf in leaves.items() if not name.startswith("gate.")}
    assert torch.allclose(opened, net.answers(ungated, life, x), atol=1e-5)


@pytest.mark.parametrize("gate", ["learned", "random"])
def test_a_random_gate_gets_no_gradient(gate: str) -> None:
    net = network(Anml, gate=gate)
    leaves = {name: leaf.requires_grad_() for name, leaf in agents(net).items()}
    net.answers(leaves, net.newborn(leaves), stream()[0]).square().sum().backward()
    given = [leaf.grad is not None for name, leaf in leaves.items() if name.startswith("gate.")]
    assert given
    assert all(given) is any(given) is (gate == "learned")


def test_one_network_serves_agents_of_every_structure() -> None:
    here, there = network(Oml), network(Anml, hidden=[5], adapts="prediction", order="first", inner_lr=0.2)
    leaves, (x, y) = agents(there), stream(length=3)
    assert same(here.learn(leaves, here.newborn(leaves), x, y), there.learn(leaves, there.newborn(leaves), x, y))


def test_fresh_agents_know_no_class_and_learn_as_others_do() -> None:
    net = network(Anml, hidden=[7])
    leaves, (x, _) = agents(net), stream()
    blank = fresh(leaves)
    assert not bool(net.answers(blank, net.newborn(blank), x).any())
    changed = [name for name in leaves if not torch.equal(leaves[name], blank[name])]
    assert changed == ["head.001.weight"]


def test_relearning_changes_the_rule_and_nothing_else() -> None:
    net = network(Anml, adapts="prediction", inner_lr=0.1)
    leaves, (x, y) = agents(net), stream(length=4)
    slower = relearning(leaves, rate=torch.tensor([0.1, 0.0001, 0.1]))
    one, two = (net.learn(each, net.newborn(each), x, y) for each in (leaves, slower))
    far = [(one[name] - two[name]).abs().amax(dim=tuple(range(1, one[name].ndim))) for name in one if name != "met"]
    assert float(torch.stack(far)[:, [0, 2]].max()) < 1e-6 < float(torch.stack(far)[:, 1].max())
    frozen = relearning(leaves, adapts="head")
    assert set(net.newborn(frozen)) == {"fast.head.000.weight", "fast.head.000.bias", "met"}
    assert plan_of(relearning(leaves, order="first")).order == "first"
    assert len(frozen) == len(leaves)


@pytest.mark.parametrize(
    ("inputs", "outputs", "options", "message"),
    [
        (Space((24,)), NAMES, {}, "sees pictures"),
        (PICTURES, Space((4,)), {}, "answers with a class"),
        (PICTURES, Space((4, 4), "discrete"), {}, "answers with a class"),
        (Space((1, 2, 9)), NAMES, {}, "layer 0 of features has nothing left to see in 2 x 9"),
        (Space((1, 5, 5)), NAMES, {}, "layer 1 of features has nothing left to see in 2 x 2"),
        (PICTURES, NAMES, {"pools": [6, 1]}, "pool 6 of layer 0"),
    ],
)
def test_what_cannot_be_seen_is_refused(inputs: Space, outputs: Space, options: dict[str, Any], message: str) -> None:
    net = network(**options)
    with pytest.raises(ValueError, match=f"oml.*{message}"):
        net.build(net.structure, inputs, outputs)


def test_a_structure_of_another_version_is_refused() -> None:
    net = network()
    with pytest.raises(ValueError, match="version 7"):
        net.build({**net.structure, "version": 7}, PICTURES, NAMES)


@pytest.mark.parametrize(
    ("plugin", "options", "message"),
    [
        (Oml, {"strides": [1]}, "strides has 1 numbers for 3 layers"),
        (Oml, {"channels": []}, "channels"),
        (Oml, {"inner_lr": 0.0}, "inner_lr"),
        (Oml, {"gate": "one"}, "gate"),
        (Anml, {"gate_channels": [3]}, "gate_channels has 1 numbers for 3 layers"),
        (Anml, {"gate": "shut"}, "gate"),
        (Maml, {"adapts": "gate"}, "adapts"),
    ],
)
def test_options_that_make_no_sense_are_refused(plugin: type[Plugin], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plugin.Options(**options)


def test_the_papers_network_has_its_six_million_parameters() -> None:
    paper = {"channels": [256] * 3, "gate_channels": [112] * 3, "strides": [1, 1, 1], "pools": [2, 2, 1]}
    net = network(Anml, **paper)
    layout = net.build(net.structure, Space((3, 28, 28)), Space((1000,), "discrete"))
    size = sum(torch.Size(shape).numel() for shape in layout.values())
    assert size == 6_048_424 - 3 * (256 + 112) + 1  # as the paper's, but for biases that normalisation takes away, and the rate


def test_leaves_are_drawn_from_their_row_key_alone() -> None:
    net = network(Anml)
    layout = net.build(net.structure, PICTURES, NAMES)
    with pytest.raises(ValueError, match="2 rows asked for with 1 row keys"):
        net.init(Stream(1).rows(torch.arange(1)), layout, 2)
    spread = [
        float(leaf.std()) for name, leaf in net.init(Stream(1), layout, 50).items() if name.endswith((".kernel", ".weight"))
    ]
    assert all(0.1 < each < 1.0 for each in spread)


def _finite(life: Life) -> bool:
    return all(bool(part.isfinite().all()) for part in life.values())


def test_a_picture_without_ink_is_no_trouble() -> None:
    net = network(Anml)
    leaves, (x, y) = agents(net), stream()
    life = net.learn(leaves, net.newborn(leaves), torch.zeros_like(x), y)
    assert _finite(life)
    assert bool(net.answers(leaves, life, torch.zeros_like(x)).isfinite().all())
