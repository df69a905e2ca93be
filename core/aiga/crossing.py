"""Copies between the host and a device.

A plain copy makes the host wait until the device has done all that it was asked for. Towards the device there is no need to;
and what the host wants to know together, such as the scores of a batch, it can wait for once.
"""

from __future__ import annotations

import torch
from torch import Tensor


def onto(tensor: Tensor, device: torch.device | str) -> Tensor:
    """``tensor`` on ``device``. The host waits only where it is the host that shall have it."""
    return tensor.to(device, non_blocking=torch.device(device).type != "cpu")


def to_host(*tensors: Tensor) -> list[Tensor]:
    """The same tensors, without their graph, on the host: those of one device in one copy, for which it waits once."""
    out = [tensor.detach() for tensor in tensors]
    for device in dict.fromkeys(tensor.device for tensor in out if tensor.device.type != "cpu"):
        # Wider numbers first, so that each begins where its kind may.
        places = [place for place, tensor in enumerate(out) if tensor.device == device]
        places.sort(key=lambda place: -out[place].element_size())
        flat = [out[place].contiguous().reshape(-1).view(torch.uint8) for place in places]
        pieces = torch.split(torch.cat(flat).cpu(), [len(piece) for piece in flat])
        for place, piece in zip(places, pieces, strict=True):
            out[place] = piece.view(out[place].dtype).reshape(out[place].shape)
    return out
