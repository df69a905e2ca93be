"""The file that a person names with ``--out``."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiga.cli.outputs import check_out
from aiga.errors import InputError


def test_a_place_that_lets_nothing_be_written_is_refused_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("aiga.cli.outputs.TemporaryFile", refused)
    with pytest.raises(
        InputError, match=r"--out .*a\.png: nothing can be written to .* \(Permission denied\)\. Name a file in"
    ):
        check_out(tmp_path / "a.png", {".png": "a picture"})
