from __future__ import annotations

from typing import ClassVar

import pytest

from aiga import Domain, Network
from aiga.testing import DomainSuite
from aiga_digits.domain import DigitsDomain
from aiga_networks.mlp import MlpNetwork, MlpOptions

pytest.importorskip("sklearn")


class TestDigits(DomainSuite):
    """Every validation image is asked about, so that there is no chance in a life."""

    generations = 12
    seeds_matter: ClassVar[bool] = False

    @pytest.fixture
    def domain(self) -> Domain:
        return DigitsDomain()


class TestByPerceptrons(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return DigitsDomain(asked=70)

    @pytest.fixture
    def network(self) -> Network:
        return MlpNetwork(MlpOptions(hidden=(9,), output="identity"))
