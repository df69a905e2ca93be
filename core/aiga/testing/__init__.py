"""What authors of extensions test with: suites to inherit, a lab to ask, a domain and networks that live in microseconds."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aiga.testing.linear import Linear as Linear
    from aiga.testing.linear import LinearNetwork as LinearNetwork
    from aiga.testing.points import Points as Points
    from aiga.testing.points import PointsDomain as PointsDomain
    from aiga.testing.suites import DomainSuite as DomainSuite
    from aiga.testing.suites import NetworkSuite as NetworkSuite
    from aiga.testing.suites import OptimiserSuite as OptimiserSuite
    from aiga.testing.suites import SpaceSuite as SpaceSuite
    from aiga.testing.workbench import bench as bench

_MODULE = {
    "DomainSuite": "suites",
    "Linear": "linear",
    "LinearNetwork": "linear",
    "NetworkSuite": "suites",
    "OptimiserSuite": "suites",
    "Points": "points",
    "PointsDomain": "points",
    "SpaceSuite": "suites",
    "bench": "workbench",
}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    """Imports a name when it is asked for: the suites need pytest, which only those who test have."""
    if name not in _MODULE:
        raise AttributeError(f"module 'aiga.testing' has no attribute {name!r}")
    module = f"aiga.testing.{_MODULE[name]}"
    if _MODULE[name] == "suites":
        import pytest

        # Without it a failing suite would say "AssertionError" and nothing more.
        pytest.register_assert_rewrite(*(f"aiga.testing.suite_{kind}" for kind in ("domain", "network", "optimiser", "space")))
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
