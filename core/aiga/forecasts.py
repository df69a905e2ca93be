"""Whether a forecast of what evaluation will say may choose what is evaluated: its rank correlation with the truth.

The truth is known of what was evaluated alone. If that were only what the forecast liked, the correlation would be of a range
cut short; so of what it rejects each row goes on all the same with a small chance, and then stands for as many as were not
drawn (Horvitz & Thompson 1952). A forecast that is not above chance chooses no longer: as many go on by lot, two of each group
at least, and go on being forecast, until it is above chance again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from aiga.streams import Stream, derive

_SHUFFLES = 399
_PAIR = 2  # truths it takes to tell whether a forecast is right
_CHANCE = Stream(derive("forecasts", "shuffle", 1))


@dataclass(frozen=True)
class Chosen:
    """Who goes on.

    Attributes:
        on: ``[P]`` bool.
        weight: ``[P]`` float64: how many rows a row that goes on stands for; 0 for others.
        reasons: ``P`` words, why a row does not go on; empty where it does.
    """

    on: Tensor
    weight: Tensor
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Judged:
    """Rows of one group that were forecast and evaluated."""

    forecast: list[float]
    truth: list[float]
    weight: list[float]


class Trust:
    """What a forecast has proved worth, and by it whether it chooses.

    Rows are compared within groups alone, such as the candidates of one niche in one iteration, whose truths were found on
    the same seeds.

    Args:
        keep: share of each group that goes on, at least one row; at least two while lots choose.
        sample: chance of a row that the forecast rejects to go on all the same.
        window: most recent rows, forecast and evaluated, that decide.
        least: rows that must have been judged before the forecast can lose its say.
        level: chance at which a worthless forecast may seem to be worth something.
    """

    def __init__(self, keep: float, sample: float = 0.1, window: int = 200, least: int = 30, level: float = 0.05) -> None:
        self.keep, self.sample, self._window, self._least, self._level = keep, sample, window, least, level
        self._groups: list[_Judged] = []
        self._rejected, self._sampled, self._lots = 0, 0, 0
        self._known: tuple[float, float] | None = None

    @property
    def judged(self) -> int:
        """Rows in the window."""
        return sum(len(group.truth) for group in self._groups)

    @property
    def correlation(self) -> float:
        """Kendall's tau within groups, of pairs whose truths differ, each pair weighted by what its rows stand for.

        Pairs that the forecast does not tell apart count as half right. NaN before there is a pair.
        """
        return self._measured()[0]

    @property
    def p(self) -> float:
        """The chance of a correlation as high where truths say nothing of forecasts, by shuffling truths within groups.

        Here all rows that went on count alike: what they stand for makes the correlation true, and much less sure.
        """
        return self._measured()[1]

    @property
    def acts(self) -> bool:
        """Whether the forecast chooses: it is above chance, or has not been judged often enough yet.

        Above chance is a correlation above 0 that shuffled truths seldom reach: the two weigh rows otherwise, and may differ.
        """
        return self.judged < self._least or (self.correlation > 0.0 and self.p <= self._level)

    @property
    def words(self) -> str:
        """How it stands, for people."""
        if self.judged < self._least:
            return f"on trial, chooses so far: {self.judged} of {self._least} forecasts judged"
        verdict = "above chance, so it chooses" if self.acts else "no better than chance, so lots choose"
        return f"forecast {verdict}: rank correlation {self.correlation:.2f}, p {self.p:.3f}, {self.judged} judged"

    def choose(self, rng: Stream, forecast: Tensor, group: Tensor) -> Chosen:
        """Who of ``P`` rows goes on.

        Where lots choose, two of each group do at least: of one by itself nobody learns what forecasts are worth now.

        Args:
            rng: with a row key for each.
            forecast: ``[P]`` float64, higher is better; a row whose forecast is no number never goes on.
            group: ``[P]`` int64.
        """
        rng, count = rng.each(len(forecast)), len(forecast)
        forecast = forecast.cpu().double()
        sound, acts = ~forecast.isnan(), self.acts
        lot, drawn = rng.uniform(2).unbind(1)
        order, fewest = (forecast, 1) if acts else (lot, _PAIR)
        on, weight = torch.zeros(count, dtype=torch.bool), torch.zeros(count, dtype=torch.float64)
        reasons = ["" if well else "its forecast is no number" for well in sound.tolist()]
        for name in torch.unique(group).tolist():
            rows = torch.nonzero((group == name) & sound).flatten()
            if not len(rows):
                continue
            rows = rows[order[rows].argsort(descending=True, stable=True)]
            most = min(len(rows), max(fewest, round(len(rows) * self.keep)))
            best, rest = rows[:most], rows[most:]
            on[best], weight[best] = True, 1.0 if acts else len(rows) / most
            if acts:
                lucky = rest[drawn[rest] < self.sample]
                on[lucky], weight[lucky] = True, 1.0 / max(self.sample, 1e-9)
                self._sampled += len(lucky)
            for place, row in enumerate(rest.tolist(), most + 1):
                if bool(on[row]):
                    continue
                self._rejected, self._lots = self._rejected + acts, self._lots + (not acts)
                reasons[row] = (
                    f"forecast {float(forecast[row]):.4g}, place {place} of {len(rows)}"
                    if acts
                    else f"not drawn among {len(rows)}: the forecast is no better than chance"
                )
        return Chosen(on, weight, tuple(reasons))

    def tell(self, forecast: Tensor, truth: Tensor, weight: Tensor, group: Tensor) -> None:
        """What evaluation said of ``P`` rows that went on; rows whose truth is no number are left out.

        Args:
            forecast: ``[P]``, as it was when :meth:`choose` was asked.
            truth: ``[P]``.
            weight: ``[P]``, as :meth:`choose` answered.
            group: ``[P]`` int64, within which rows are compared.
        """
        columns = [column.cpu().double() for column in (forecast, truth, weight)]
        for name in torch.unique(group).tolist():
            rows = torch.nonzero((group.cpu() == name) & columns[1].isfinite() & columns[0].isfinite()).flatten()
            if len(rows):
                self._groups.append(_Judged(*(column[rows].tolist() for column in columns)))
        while len(self._groups) > 1 and self.judged - len(self._groups[0].truth) >= self._window:
            del self._groups[0]
        self._known = None

    def metrics(self) -> dict[str, float]:
        """How it stands: ``forecast_correlation`` and ``forecast_p``, ``forecast_judged`` rows in the window,
        ``forecast_chooses`` 1 or 0, and totals: rows ``forecast_rejected``, those ``forecast_sampled`` all the same, and those
        that lots rejected, ``forecast_lots``.
        """
        out = {"forecast_judged": float(self.judged), "forecast_chooses": float(self.acts)}
        out |= {"forecast_rejected": float(self._rejected), "forecast_sampled": float(self._sampled)}
        out["forecast_lots"] = float(self._lots)
        if self.correlation == self.correlation:
            out |= {"forecast_correlation": self.correlation, "forecast_p": self.p}
        return out

    def scatter(self) -> tuple[list[float], list[float]]:
        """Forecasts and truths in the window, both as ranks within their group from 0, the lowest, to 1."""
        both: tuple[list[float], list[float]] = ([], [])
        for group in self._groups:
            for out, values in zip(both, (group.forecast, group.truth), strict=True):
                out += _placed(values)
        return both

    def state_dict(self) -> dict[str, Any]:
        groups = [[group.forecast, group.truth, group.weight] for group in self._groups]
        return {"groups": groups, "rejected": self._rejected, "sampled": self._sampled, "lots": self._lots}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._groups = [_Judged(*(list(part) for part in group)) for group in state["groups"]]
        self._rejected, self._sampled, self._lots = state["rejected"], state["sampled"], state["lots"]
        self._known = None

    def _measured(self) -> tuple[float, float]:
        if self._known is None:
            self._known = _correlation(self._groups)
        return self._known


def _correlation(groups: Sequence[_Judged]) -> tuple[float, float]:
    """Kendall's tau and its chance, see :class:`Trust`."""
    wide = max((len(group.truth) for group in groups), default=0)
    if wide < 2:
        return float("nan"), 1.0
    forecast, truth, weight = torch.zeros(3, len(groups), wide, dtype=torch.float64)
    for row, group in enumerate(groups):
        size = len(group.truth)
        for column, values in zip((forecast, truth, weight), (group.forecast, group.truth, group.weight), strict=True):
            column[row, :size] = torch.tensor(values, dtype=torch.float64)
    alike = _signs(forecast)
    # The first order is the true one; of the others each shuffles truths among the rows of its group.
    lots = _CHANCE.uniform(_SHUFFLES, len(groups), wide) + (weight == 0) * 2.0
    order = torch.cat([torch.arange(wide).expand(1, len(groups), wide), lots.argsort(dim=2)])
    told = _signs(torch.take_along_dim(truth.expand(len(order), -1, -1), order, dim=2))
    both = weight[:, :, None] * weight[:, None, :]
    total = (told[0].abs() * both).sum()
    if not bool(total > 0):
        return float("nan"), 1.0
    tau = float((alike * told[0] * both).sum() / total)
    # Shuffling asks for no weights, and with them a few heavy rows would drown what all others say.
    there = (both > 0).double()
    ranked = (alike * told * there).sum(dim=(1, 2, 3)) / (told.abs() * there).sum(dim=(1, 2, 3)).clamp(min=1e-12)
    return tau, float((ranked >= ranked[0] - 1e-12).double().mean())


def _signs(values: Tensor) -> Tensor:
    """``[..., K, K]``: which of each two is greater."""
    return (values[..., :, None] - values[..., None, :]).sign()


def _placed(values: list[float]) -> list[float]:
    """Places of values from 0 to 1, equal ones sharing theirs; a half where there is nothing to compare."""
    if len(values) < 2:
        return [0.5] * len(values)
    below = [sum(other < value for other in values) + (sum(other == value for other in values) - 1) / 2 for value in values]
    return [place / (len(values) - 1) for place in below]
