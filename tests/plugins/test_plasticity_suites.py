from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from aiga import Network, Percept, Space
from aiga.components import Life
from aiga.data import Leaves
from aiga.testing import NetworkSuite
from aiga_plasticity import (
    Backpropamine,
    BackpropamineNetwork,
    Lstm,
    LstmNetwork,
    Plastic,
    PlasticNetwork,
    Rnn,
    RnnNetwork,
)

PLASTIC: list[dict[str, Any]] = [
    *({"rule": rule} for rule in ("decay", "oja", "clip", "soft-clip")),
    {"alpha": "shared"},
    {"alpha_init": "uniform", "reward": False, "previous_action": False, "value": False},
]
MODULATED: list[dict[str, Any]] = [
    {},
    {"limit": "soft-clip", "fan_out": True},
    {"modulation": "retroactive"},
    {"modulation": "retroactive", "limit": "soft-clip", "fan_out": True, "bound": 2.0},
]


class TestRnn(NetworkSuite):
    @pytest.fixture
    def network(self) -> Network:
        return RnnNetwork(Rnn.Options(units=7))


class TestLstm(NetworkSuite):
    @pytest.fixture
    def network(self) -> Network:
        return LstmNetwork(Lstm.Options(units=7))


class TestPlastic(NetworkSuite):
    steps = 6

    @pytest.fixture(params=PLASTIC, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return PlasticNetwork(Plastic.Options(units=7, eta=0.3, alpha_scale=0.5, **request.param))


class TestBackpropamine(NetworkSuite):
    steps = 6

    @pytest.fixture(params=MODULATED, ids=str)
    def network(self, request: pytest.FixtureRequest) -> Network:
        return BackpropamineNetwork(Backpropamine.Options(units=7, alpha_scale=0.5, **request.param))


class TestActionsThatAreChoices(NetworkSuite):
    outputs: ClassVar[Space] = Space((4,), "discrete")

    @pytest.fixture
    def network(self) -> Network:
        return BackpropamineNetwork(Backpropamine.Options(units=33))


class TestWired(NetworkSuite):
    outputs: ClassVar[Space] = Space((5,))

    def live(self, network: Network, leaves: Leaves, percepts: list[Percept], rows: Tensor) -> tuple[Tensor, Life]:
        """Two numbers of each observation are 0, so that clamped units are free to answer."""
        kept = torch.tensor([1.0, 0.0, 1.0, 0.0, 1.0])
        return super().live(network, leaves, [replace(p, observation=p.observation * kept) for p in percepts], rows)

    @pytest.fixture(params=["additive", "clamped"])
    def wiring(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture(params=["rnn", "lstm", "plastic", "backpropamine"])
    def network(self, request: pytest.FixtureRequest, wiring: str) -> Network:
        made: dict[str, Network] = {
            "rnn": RnnNetwork(Rnn.Options(wiring=wiring, units=9)),
            "lstm": LstmNetwork(Lstm.Options(wiring=wiring, units=9)),
            "plastic": PlasticNetwork(Plastic.Options(wiring=wiring, units=9)),
            "backpropamine": BackpropamineNetwork(Backpropamine.Options(wiring=wiring, units=9)),
        }
        return made[request.param]
