"""Streams of characters to be learnt within a lifetime: Omniglot, or sets drawn from a seed alone."""

from aiga_characters.plugin import Characters as Characters

__all__ = ["Characters"]
