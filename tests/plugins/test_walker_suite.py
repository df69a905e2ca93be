from __future__ import annotations

import pytest

from aiga import Domain
from aiga.testing import DomainSuite
from aiga_walker.domain import WalkerDomain


class TestWalkerDomain(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return WalkerDomain(steps=40)


class TestWalkerDomainInBox2D(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return WalkerDomain(steps=40, physics="box2d")


class TestFirstHitLidarOnPits(DomainSuite):
    generations = 12

    @pytest.fixture
    def domain(self) -> Domain:
        return WalkerDomain(steps=40, categories=("pit",), lidar="first-hit", physics="box2d")
