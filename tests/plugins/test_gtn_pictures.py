"""What a training of a teacher leaves for people to look at, and for a search to use."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

pytest.importorskip("pytorch_lightning")

import torch
from blobs import DOMAIN, examples, teach
from PIL import Image
from training_support import saved

from aiga_gtn import load
from aiga_gtn.pictures import _picture


def test_a_training_leaves_pictures_and_a_teacher_that_teaches_from_its_files(tmp_path: Path) -> None:
    run = teach(tmp_path)
    drawn = {"inner.png", "samples.png", "lessons.png"}
    assert {path.name for path in run.files} == {"teacher.safetensors", "teacher.json", *drawn}
    assert {*drawn, "curves.png"} <= {path.name for path in run.pictures}
    for path in run.pictures:
        assert min(Image.open(BytesIO(path.read_bytes())).size) > 40
    teacher = load(run.path / "files" / "teacher.safetensors", DOMAIN.inputs, DOMAIN.outputs, examples)
    state = saved(run.path)[1]["state_dict"]
    assert all(torch.equal(value, state[f"teacher.{name}"]) for name, value in teacher.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_examples_of_any_precision_are_drawn(dtype: torch.dtype) -> None:
    ramp = torch.linspace(0.0, 1.0, 16).reshape(4, 4)
    drawn = _picture(ramp.to(dtype), (0.0, 1.0))
    assert drawn is not None
    assert drawn.shape == (4, 4, 3)
    assert abs(drawn[..., 0].astype(float) - 255.0 * ramp.numpy()).max() <= 2.0
