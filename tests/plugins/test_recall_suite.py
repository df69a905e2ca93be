from __future__ import annotations

import pytest

from aiga import Domain, Network
from aiga.testing import DomainSuite
from aiga_plasticity import Plastic, PlasticNetwork
from aiga_recall.domain import RecallDomain
from aiga_recall.episodes import Binary
from aiga_recall.images import Images


class TestBinary(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return RecallDomain(Binary(11), steps=40, categories=("bits", "patterns", "cycles", "gap", "probe", "blank"))


class TestBinaryByAPlasticNetwork(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return RecallDomain(Binary(20), start={"patterns": 3, "cycles": 2})

    @pytest.fixture
    def network(self) -> Network:
        return PlasticNetwork(Plastic.Options(wiring="additive", alpha_scale=0.5))


class TestDigits(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        pytest.importorskip("sklearn")
        return RecallDomain(Images("digits"), start={"presentation": 2, "cycles": 2})
