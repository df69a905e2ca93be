"""The plugin ``digits``: registers the domain and draws tasks and lives."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, model_validator

import aiga
from aiga.downloads import address
from aiga.hooks import absolute
from aiga_digits.genome import CATEGORIES, Category
from aiga_digits.sources import PUBLISHED, SourceName

if TYPE_CHECKING:
    from aiga_digits.domain import DigitsDomain


def _distinct(categories: list[Category]) -> list[Category]:
    if len(set(categories)) < len(categories):
        raise ValueError("names a category twice. Name each once.")
    return categories


def _sha256(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError(f"{digest!r} is no SHA-256, which has 64 hexadecimal digits. `sha256sum FILE` prints one.")
    return digest.lower()


class DigitsOptions(aiga.Options):
    """Options of the digits.

    Attributes:
        source: scikit-learn's ``digits`` (8 x 8), ``mnist``, ``fashion-mnist`` (28 x 28) or ``cifar-10`` (32 x 32, in colour).
        folder: with the set's files, idx files or CIFAR-10's binary version; where a download is kept, the user's cache
            unless given.
        download: fetch the set's files where they are not there, checked by their SHA-256.
        url: the folder on a server to download from; where the set is published unless given.
        hashes: SHA-256 by file, where they differ from those of the published files.
        categories: what mutation may change.
        batch: examples that the loss is the mean of.
        asked: validation images that are named in a life, where there are so many.
        learnt: examples that a network which learns within its life learns from in it.
        jitter: pixels that examples which gradients are followed on are moved by at most, each way, at random and anew whenever
            they are shown; images within a life stay where they are.
    """

    source: SourceName = "digits"
    folder: Annotated[str, AfterValidator(absolute)] = ""
    download: bool = False
    url: Annotated[str, AfterValidator(address)] = ""
    hashes: dict[str, Annotated[str, AfterValidator(_sha256)]] = Field(default_factory=dict)
    categories: Annotated[list[Category], Field(min_length=1), AfterValidator(_distinct)] = Field(default=list(CATEGORIES))
    batch: int = Field(default=64, ge=1)
    asked: int = Field(default=500, ge=1)
    learnt: int = Field(default=200, ge=0)
    jitter: float = Field(default=0.0, ge=0.0, le=8.0)

    @model_validator(mode="after")
    def _fits(self) -> DigitsOptions:
        if self.source == "digits":
            given = [key for key in ("folder", "download", "url", "hashes") if getattr(self, key)]
            if given:
                raise ValueError(
                    f'source "digits" is scikit-learn\'s own and needs no {given[0]}. Write another source, or leave it out.'
                )
            return self
        if not self.folder and not self.download:
            raise ValueError(
                f'source "{self.source}" does not ship with aiga. Add folder = "...", where its files are, or download = true.'
            )
        strange = sorted(set(self.hashes) - set(PUBLISHED[self.source].files))
        if strange:
            there = ", ".join(PUBLISHED[self.source].files)
            raise ValueError(f'hashes names {strange[0]}, which is no file of "{self.source}". Its files are {there}.')
        return self


class Digits(aiga.Plugin):
    """Small images to be told apart."""

    name: ClassVar[str] = "digits"
    Options: ClassVar[type[DigitsOptions]] = DigitsOptions
    options: DigitsOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``digits``."""
        registry.domain("digits", self._domain)

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Tasks as pages of their examples, a life by what it named; see :mod:`aiga_digits.render`."""
        from aiga_digits.render import render

        return render(subject, self._domain)

    @cached_property
    def _domain(self) -> DigitsDomain:
        from aiga_digits.domain import DigitsDomain
        from aiga_digits.sources import Source

        o = self.options
        source = Source(o.source, o.folder, o.download, o.url, tuple(sorted(o.hashes.items())))
        return DigitsDomain(source, o.categories, o.batch, o.asked, o.learnt, o.jitter)
