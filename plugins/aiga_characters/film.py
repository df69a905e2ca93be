"""Lives on film: what was seen, answered and right, image by image, as one trajectory."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from aiga import Output, Trajectory
from aiga.crossing import onto


def stacked(outputs: list[Output]) -> tuple[Tensor, Tensor | None]:
    """``[B, M, ...]`` actions and, where there are such, ``[B, M]`` values."""
    values = [output.value for output in outputs if output.value is not None]
    return torch.stack([output.action for output in outputs], dim=1), torch.stack(values, dim=1) if values else None


@dataclass
class Film:
    """Lives of one shape, image by image: ``[B, M, ...]`` pieces."""

    pieces: dict[str, list[Tensor]] = field(default_factory=dict)

    def learnt(self, x: Tensor, label: Tensor, labels: int, answers: list[Output]) -> None:
        blank = x.new_zeros(*label.shape, labels)
        logits, values = stacked(answers) if answers else (blank, None)
        self._add(x, label, label, torch.zeros(label.shape), logits, values, learning=True)

    def asked(self, x: Tensor, label: Tensor, named: Tensor, logits: Tensor, values: Tensor | None) -> None:
        self._add(x, label, named, (named == label).float(), logits, values, learning=False)

    def _add(
        self,
        x: Tensor,
        label: Tensor,
        action: Tensor,
        reward: Tensor,
        logits: Tensor,
        values: Tensor | None,
        learning: bool,
    ) -> None:
        now = {"observations": x, "label": label, "actions": action, "rewards": reward, "logits": logits}
        now["learning"] = torch.full(label.shape, learning)
        if values is not None:
            now["values"] = values
        for name, piece in now.items():
            self.pieces.setdefault(name, []).append(piece)

    def whole(self) -> dict[str, Tensor]:
        """``[T, B, ...]`` of everything that there was at every step."""
        joined = {name: torch.cat(pieces, dim=1).transpose(0, 1) for name, pieces in self.pieces.items()}
        length = len(joined["label"])
        return {name: steps for name, steps in joined.items() if len(steps) == length}


def joined(films: list[Film], back: Tensor) -> Trajectory:
    """The lives of all shapes side by side; a shorter one stays at its last image."""
    wholes = [film.whole() for film in films]
    longest = max(len(whole["label"]) for whole in wholes)
    done = []
    for whole in wholes:
        length, count = whole["label"].shape
        done.append((torch.arange(longest) >= length - 1)[:, None].expand(longest, count))
        for name, steps in whole.items():
            whole[name] = torch.cat([steps, steps[-1:].expand(longest - length, *steps.shape[1:])])
    joined = {name: torch.cat([whole[name] for whole in wholes], dim=1) for name in wholes[0]}
    lives = {name: piece[:, onto(back, piece.device)] for name, piece in joined.items()}
    observations, actions, rewards = (lives.pop(name) for name in ("observations", "actions", "rewards"))
    return Trajectory(observations, actions, rewards, torch.cat(done, dim=1)[:, back], lives)
