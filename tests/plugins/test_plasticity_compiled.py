"""Compiled steps of plastic units against the same steps as tensor operations."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space, Stream
from aiga.data import Leaves
from aiga_plasticity import BackpropamineNetwork, PlasticNetwork, compiled
from aiga_plasticity.options import BackpropamineOptions, PlasticOptions

AGENTS, LIVES, STEPS, SEEN = 2, 3, 7, 4
SHARED: dict[str, Any] = {"units": 9, "alpha_scale": 0.5, "weight_scale": 1.0}
NETWORKS: dict[str, Network] = {
    "decay": PlasticNetwork(PlasticOptions(**SHARED, eta=0.3)),
    "simple": BackpropamineNetwork(BackpropamineOptions(**SHARED, bound=0.3)),
    "retroactive": BackpropamineNetwork(BackpropamineOptions(**SHARED, modulation="retroactive", bound=0.1, eta=0.4)),
}
every_network = pytest.mark.parametrize("name", list(NETWORKS))


def born(network: Network) -> Leaves:
    layout = network.build(network.structure, Space((SEEN,)), Space((2,), "discrete"))
    leaves = network.init(Stream(1), layout, AGENTS)
    leaves["modulator.bias"] = leaves.get("modulator.bias", torch.zeros(AGENTS, 1)) + 0.3
    return {name: leaf.requires_grad_() for name, leaf in leaves.items() if name in layout}


def lived(network: Network, leaves: Leaves) -> tuple[Tensor, dict[str, Tensor]]:
    """Everything that a life answers, and what it ends with."""
    wide = {name: leaf[:, None] for name, leaf in leaves.items()}
    life = {n: part.expand(AGENTS, LIVES, *part.shape[2:]) for n, part in network.newborn(wide).items()}
    answers = []
    for step in range(STEPS):
        seen = Stream(2).child(step).normal(AGENTS, LIVES, SEEN) * 2.0
        output, life = network.step(wide, life, Percept(seen, seen[..., 0], None, seen[..., :2]))
        assert output.value is not None
        answers.append(torch.cat([output.action, output.value[..., None]], dim=2))
    return torch.stack(answers), life


def gradients(network: Network) -> tuple[Tensor, dict[str, Tensor], Leaves]:
    leaves = born(network)
    answers, life = lived(network, leaves)
    weight = Stream(3).normal(*answers.shape)
    ends = sum((part * Stream(4).child(name).normal(*part.shape)).sum() for name, part in life.items())
    found = torch.autograd.grad((answers * weight).sum() + ends, list(leaves.values()))
    return answers.detach(), {n: part.detach() for n, part in life.items()}, dict(zip(leaves, found, strict=True))


@every_network
def test_a_compiled_life_and_its_gradients_are_those_of_tensor_operations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, ran = NETWORKS[name], []
    run = compiled._run
    monkeypatch.setattr(compiled, "_run", lambda kernel, *given: (ran.append(kernel), run(kernel, *given)))
    answers, life, found = gradients(network)
    assert [kernel for kernel in ran if kernel.startswith(name)] == [f"{name}_forth"] * STEPS + [f"{name}_back"] * STEPS
    ran.clear()
    monkeypatch.setattr(compiled, "able", lambda *given: False)
    expected_answers, expected_life, expected = gradients(network)
    assert not ran
    assert torch.allclose(answers, expected_answers, rtol=1e-4, atol=1e-5)
    for part, tensor in expected_life.items():
        assert torch.allclose(life[part], tensor, rtol=1e-4, atol=1e-5), part
    if name != "decay":
        bound = 0.3 if name == "simple" else 0.1
        assert 0.05 < float((life["trace"].abs() == bound).double().mean()) < 0.95, "hardly any trace is cut off, or nearly all"
    for leaf, gradient in expected.items():
        assert float(gradient.norm()) > 1e-3, leaf
        assert torch.allclose(found[leaf], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max())), leaf


@every_network
def test_a_number_that_is_none_stays_none(name: str) -> None:
    network = NETWORKS[name]
    leaves = born(network)
    with torch.no_grad():
        next(leaf for n, leaf in leaves.items() if n.endswith("recurrent"))[1, 0, 0] = torch.nan
    answers, life = lived(network, leaves)
    assert bool(answers[2:, 1].isnan().all())
    assert bool(answers[:, 0].isfinite().all())
    assert bool(life["trace"][1].isnan().any())
    found = torch.autograd.grad(answers.sum(), list(leaves.values()))
    assert any(bool(gradient[1].isnan().any()) for gradient in found)
    assert all(bool(gradient[0].isfinite().all()) for gradient in found)


@every_network
def test_a_gradient_of_the_gradient_is_that_of_tensor_operations(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def second() -> Leaves:
        leaves = born(NETWORKS[name])
        answers, _ = lived(NETWORKS[name], leaves)
        first = torch.autograd.grad(answers.sum(), list(leaves.values()), create_graph=True)
        loss = torch.stack([gradient.square().sum() for gradient in first]).sum()
        return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True), strict=True))

    found = second()
    monkeypatch.setattr(compiled, "able", lambda *given: False)
    for leaf, gradient in second().items():
        assert torch.allclose(found[leaf], gradient, rtol=1e-2, atol=1e-3 * float(gradient.abs().max())), leaf


def test_who_only_evaluates_imports_no_compiler() -> None:
    code = (
        "import sys, torch, aiga_plasticity as p; from aiga import Space, Stream, Percept; "
        "from aiga_plasticity.options import BackpropamineOptions; n = p.BackpropamineNetwork(BackpropamineOptions(units=4)); "
        "x = n.init(Stream(1), n.build(n.structure, Space((3,)), Space((2,), 'discrete')), 1); "
        "n.step(x, n.newborn(x), Percept(torch.zeros(1, 3))); print('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "False"
