"""Suites to inherit: what the core relies on in a domain, a network, its space and an optimiser, as tests.

A subclass whose name begins with ``Test`` overrides one fixture and inherits every test::

    class TestMine(DomainSuite):
        @pytest.fixture
        def domain(self) -> Domain:
            return MyDomain()

All of it runs on the host, where results are to be equal bit by bit.
"""

from __future__ import annotations

from aiga.testing.suite_domain import DomainSuite as DomainSuite
from aiga.testing.suite_network import NetworkSuite as NetworkSuite
from aiga.testing.suite_optimiser import OptimiserSuite as OptimiserSuite
from aiga.testing.suite_space import SpaceSuite as SpaceSuite
