from __future__ import annotations

import pytest
import torch
from learners import Notebook, SgdHead

from aiga import Batch, Domain, Network, Stream
from aiga.testing import DomainSuite
from aiga_characters import genome
from aiga_characters.domain import CharactersDomain


class TestCharactersDomain(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=20)


class TestLearningByGradients(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=10)

    @pytest.fixture
    def network(self) -> Network:
        return SgdHead()


class TestLearningFromTargets(DomainSuite):
    generations = 8

    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=10)

    @pytest.fixture
    def network(self) -> Network:
        return Notebook()


class TestFewShotEpisodes(DomainSuite):
    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=20, start="5-way-1-shot-training")

    @pytest.fixture
    def network(self) -> Network:
        return Notebook()


class TestEvaluationStreams(DomainSuite):
    """Named streams live beside each other whatever their lengths; their children are of another kind."""

    @pytest.fixture
    def domain(self) -> Domain:
        return CharactersDomain(labels=20)

    @pytest.fixture
    def network(self) -> Network:
        return Notebook()

    @pytest.fixture
    def envs(self, domain: Domain) -> Batch:
        genes = [{"classes": 2 + row, "examples": 1 + row, "distortion": row / 10} for row in range(self.pairs)]
        each = [genome.streams(torch.tensor([row]), **gene, split="evaluation") for row, gene in enumerate(genes)]  # type: ignore[arg-type]
        return Batch.of(each[0].kind, {name: torch.cat([one.leaves[name] for one in each]) for name in each[0].leaves})

    def test_a_child_hangs_on_its_parent_and_its_row_key_alone(self, domain: Domain, envs: Batch) -> None:
        rng = Stream(5).rows(torch.arange(len(envs)))
        assert domain.mutate(rng, envs).kind == genome.kind("background")
