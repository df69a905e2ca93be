"""How the gradient of a step is added up: the right number, and the same bits alone and in company."""

from __future__ import annotations

import pytest
import torch

from aiga_es import es
from aiga_es.draws import Draws


def some(rows: int, pairs: int) -> tuple[Draws, torch.Tensor, torch.Tensor]:
    keys = torch.arange(rows * pairs).reshape(rows, pairs) * 7 + 1
    ranks = torch.linspace(-0.5, 0.5, 2 * pairs, dtype=torch.float64).repeat(rows, 1)
    return Draws(11, keys, antithetic=True), ranks.roll(3, dims=1), torch.linspace(0.1, 0.5, rows, dtype=torch.float64)


@pytest.mark.parametrize("pairs", [1, 2, 3, es._GROUP - 1, es._GROUP, es._GROUP + 1, 3 * es._GROUP + 5])
def test_it_is_the_mean_over_all_pairs_however_many(pairs: int) -> None:
    draws, ranks, sigma = some(2, pairs)
    noise = draws.normal(0, pairs, 5, torch.device("cpu")).double()
    weight = ranks[:, 0::2] - ranks[:, 1::2]
    expected = torch.einsum("bk,bkd->bd", weight, noise) / pairs / sigma[:, None]
    torch.testing.assert_close(es.gradient(draws, ranks, sigma, 5), expected, rtol=1e-12, atol=1e-12)


def test_a_row_has_the_same_bits_alone_and_in_company(monkeypatch: pytest.MonkeyPatch) -> None:
    draws, ranks, sigma = some(7, es._GROUP + 9)
    together = es.gradient(draws, ranks, sigma, 33)
    monkeypatch.setattr(es, "_NUMBERS", es._GROUP * 33 * 2)  # two rows at a time
    assert torch.equal(es.gradient(draws, ranks, sigma, 33), together)
    for row in range(7):
        alone = slice(row, row + 1)
        assert torch.equal(es.gradient(draws.take(alone), ranks[alone], sigma[alone], 33), together[alone])
