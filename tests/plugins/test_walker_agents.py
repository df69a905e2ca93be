"""The agent that ships walks as well as the file beside it says."""

from __future__ import annotations

import json

import torch
from safetensors.torch import load_file

from aiga import Batch, Kind, Pairs, Population
from aiga.lab import episode_seeds
from aiga_networks import Mlp
from aiga_networks.mlp import MlpNetwork
from aiga_walker.domain import WalkerDomain


def test_the_flat_walker_scores_what_is_written_beside_it_and_does_not_fall() -> None:
    domain, network = WalkerDomain(), MlpNetwork(Mlp.Options())
    path = domain.agents["walker-flat"]
    told = json.loads(path.with_suffix(".json").read_text())
    agent = Batch.of(Kind("mlp", dict(network.structure)), {name: leaf[None] for name, leaf in load_file(path).items()})
    flat = domain.named("flat")
    seeds = episode_seeds(told["episode_seeds_from"], "judge", 0, flat.hashes, told["episodes"])[0, :4]
    scores = domain.live(Pairs.of(*map(_alone, (flat, agent)), *torch.zeros(2, 4, dtype=torch.int64)), network, seeds)
    assert not isinstance(scores, tuple)
    assert bool((scores.columns["finished"] == 1).all())
    assert bool(((scores.fitness - told["score_mean"]).abs() < 4 * told["score_std"]).all())
    assert told["score_mean"] > domain.solved


def test_a_lidar_reports_the_nearest_hit_unless_asked_otherwise() -> None:
    assert WalkerDomain().lidar == "nearest"


def _alone(batch: Batch) -> Population:
    return Population((batch,))
