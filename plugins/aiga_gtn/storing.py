"""A teacher as two files: safetensors of what it has learnt, and how it is made in JSON beside it; nothing that could run."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import load as unpack
from safetensors.torch import save
from torch import nn

import aiga
from aiga_gtn import teacher as teachers
from aiga_gtn.lessons import Examples
from aiga_gtn.options import GtnOptions
from aiga_gtn.teacher import Teacher

NAME = "teacher"
VERSION = 1


def packed(teacher: Teacher, options: GtnOptions) -> dict[str, bytes]:
    """The two files, by name."""
    told = {
        "version": VERSION,
        "inputs": list(teacher.shape),
        "classes": teacher.classes,
        "options": options.model_dump(mode="json", exclude={"teacher_file"}),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in teacher.state_dict().items()}
    return {f"{NAME}.safetensors": save(state), f"{NAME}.json": f"{json.dumps(told, indent=2)}\n".encode()}


def load(path: Path, inputs: aiga.Space, outputs: aiga.Space, examples: Examples) -> Teacher:
    """The teacher that a training left.

    Args:
        path: of ``teacher.safetensors``; ``teacher.json`` lies beside it.
        inputs: of the domain.
        outputs: of the domain.
        examples: of the domain, for a teacher that shows real ones.

    Raises:
        aiga.InputError: if there is no such file, it is damaged, or was made for a domain of other shapes.
    """
    try:
        told = json.loads(path.with_suffix(".json").read_text())
        if told["version"] != VERSION:
            raise ValueError(f"version {told['version']}; this aiga reads {VERSION}")
        if (told["inputs"], told["classes"]) != (list(inputs.shape), outputs.shape[0]):
            raise ValueError(f"made for inputs {told['inputs']} and {told['classes']} classes")
        options = GtnOptions.model_validate_json(json.dumps(told["options"]))
        teacher = teachers.new(options, inputs, outputs, examples, aiga.Stream(0))
        fill(teacher, path)
    except aiga.InputError:
        raise
    except Exception as error:
        what = f"{path} is no teacher for inputs {inputs.shape} and outputs {outputs.shape}"
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise aiga.InputError(f"{what} ({why}). Train one: aiga train with the trainer gtn.") from error
    return teacher


def fill(teacher: nn.Module, path: Path) -> None:
    """Takes what a teacher has learnt from a file.

    Raises:
        ValueError: if it holds numbers that none can have learnt.
        RuntimeError: if it is of another teacher.
    """
    state, own = unpack(path.read_bytes()), teacher.state_dict()
    for name, value in state.items():
        if name in own and value.dtype != own[name].dtype:
            raise ValueError(f"{name} is of {value.dtype}, not of {own[name].dtype}")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ValueError(f"{name} has numbers that are not finite")
    teacher.load_state_dict(state)
