"""A teacher of policies as two files: safetensors of what it has learnt, and how it is made in JSON beside it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.torch import save

import aiga
from aiga_gtn.policies.options import GtnPolicyOptions
from aiga_gtn.policies.teacher import PolicyTeacher
from aiga_gtn.storing import fill

NAME = "teacher"
VERSION = 1


def packed(teacher: PolicyTeacher, options: GtnPolicyOptions) -> dict[str, bytes]:
    """The two files, by name."""
    told = {
        "version": VERSION,
        "inputs": list(teacher.inputs),
        "outputs": list(teacher.outputs),
        "options": options.model_dump(mode="json"),
    }
    state = {name: value.detach().cpu().contiguous() for name, value in teacher.state_dict().items()}
    return {f"{NAME}.safetensors": save(state), f"{NAME}.json": f"{json.dumps(told, indent=2)}\n".encode()}


def load_policy(path: Path, inputs: aiga.Space, outputs: aiga.Space) -> PolicyTeacher:
    """The teacher of policies that a training left.

    Args:
        path: of ``teacher.safetensors``; ``teacher.json`` lies beside it.
        inputs: of the domain.
        outputs: of the domain.

    Raises:
        aiga.InputError: if there is no such file, it is damaged, or was made for a domain of other shapes.
    """
    try:
        told = json.loads(path.with_suffix(".json").read_text())
        if told["version"] != VERSION:
            raise ValueError(f"version {told['version']}; this aiga reads {VERSION}")
        if (told["inputs"], told["outputs"]) != (list(inputs.shape), list(outputs.shape)):
            raise ValueError(f"made for inputs {told['inputs']} and outputs {told['outputs']}")
        options = GtnPolicyOptions.model_validate_json(json.dumps(told["options"]))
        teacher = PolicyTeacher(options, inputs, outputs, aiga.Stream(0))
        fill(teacher, path)
    except Exception as error:
        what = f"{path} is no teacher of policies for inputs {inputs.shape} and outputs {outputs.shape}"
        remedy = "Train one: aiga train with the trainer gtn-policy."
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise aiga.InputError(f"{what} ({why}). {remedy}") from error
    return teacher
