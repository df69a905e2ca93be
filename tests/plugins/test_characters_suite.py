from __future__ import annotations

import pytest

from aiga import Domain
from aiga.testing import DomainSuite
from aiga_characters.domain import CharactersDomain


class TestCharactersDomain(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=20)
