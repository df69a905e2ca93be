"""The command line, ``aiga``: thin verbs over :mod:`aiga.experiment`; nothing heavy is imported before a verb needs it."""

from __future__ import annotations

from aiga.cli.app import main

__all__ = ["main"]
