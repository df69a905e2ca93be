"""The plugin ``characters``: registers the domain and draws streams and lives."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga
from aiga.downloads import address
from aiga.hooks import absolute
from aiga_characters.download import HASHES, URL

if TYPE_CHECKING:
    from aiga_characters.domain import CharactersDomain


def _sha256(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
        raise ValueError(f"{digest!r} is no SHA-256, which has 64 hexadecimal digits. `sha256sum FILE` prints one.")
    return digest.lower()


JUDGED_ON: Final = (10, 50, 100)
_Digest = Annotated[str, AfterValidator(_sha256)]


class CharactersOptions(aiga.Options):
    """Options of the characters; the meta-objective's are ANML's.

    Attributes:
        source: ``drawn`` from ``seed`` (Omniglot's numbers of alphabets and classes), ``drawn-easy`` (the same with characters
            that are more alike from drawer to drawer and share no strokes), a ``folder`` in Omniglot's layout, or ``omniglot``,
            downloaded.
        folder: for ``folder`` where ``images_background`` and ``images_evaluation`` are, as folders or zip archives; for
            ``omniglot`` where the archives are kept, the user's cache unless given.
        seed: of a drawn set.
        size: pixels of a side; Omniglot's own is 105.
        labels: outputs of a network, and so the most classes that a stream may have.
        start: what a search starts from: ``stream`` (five classes) or one of the named environments of the background split.
        trajectory: classes learnt in one trial of the meta-objective (OML: 3); with 0, nothing is learnt within a life and the
            objective is to name ``remember`` images: plain supervised training.
        inner_steps: images learnt of each, one by one (OML: 5).
        unseen: other images of each that the meta-objective asks about (OML: 5).
        remember: random images of all classes that it asks about (OML: 15).
        judged_on: classes of the streams that a report is made on, of 10, 50, 100, 200 and 600; the last is the oracle's too.
        judged_draws: of classes, for each length; a report gives the mean.
        judged_newborn: also judge as many agents of each network that were never trained.
        url: the folder on a server that holds Omniglot's archives.
        hashes: SHA-256 of the archives, background and evaluation.
    """

    source: Literal["drawn", "drawn-easy", "folder", "omniglot"] = "drawn"
    folder: Annotated[str, AfterValidator(absolute)] = ""
    seed: int = Field(default=0, ge=0, lt=2**62)
    size: int = Field(default=28, ge=8, le=105)
    labels: int = Field(default=600, ge=2)
    start: Literal["stream", "meta-training", "5-way-1-shot-training", "20-way-1-shot-training"] = "stream"
    trajectory: int = Field(default=1, ge=0)
    inner_steps: int = Field(default=20, ge=1, le=20)
    unseen: int = Field(default=0, ge=0, le=19)
    remember: int = Field(default=64, ge=0)
    judged_on: Annotated[tuple[Literal[10, 50, 100, 200, 600], ...], Field(strict=False, min_length=1)] = JUDGED_ON
    judged_draws: int = Field(default=1, ge=1)
    judged_newborn: bool = False
    url: Annotated[str, AfterValidator(address)] = URL
    hashes: Annotated[tuple[_Digest, _Digest], Field(strict=False)] = HASHES

    @model_validator(mode="after")
    def _fits(self) -> CharactersOptions:
        if self.source == "folder" and not self.folder:
            raise ValueError(
                'source "folder" needs one. Add folder = "...", where images_background and images_evaluation are.'
            )
        if self.source in ("drawn", "drawn-easy") and self.folder:
            raise ValueError(f'source "{self.source}" reads no folder. Write source = "folder", or take folder away.')
        if self.inner_steps + self.unseen > 20:
            raise ValueError(
                f"inner_steps {self.inner_steps} and unseen {self.unseen} are more than the 20 images of a class. "
                f"Write unseen = {20 - self.inner_steps}."
            )
        if not self.trajectory and not self.remember:
            raise ValueError("trajectory 0 and remember 0 leave nothing to ask about. Write remember = 64.")
        if len(set(self.judged_on)) < len(self.judged_on):
            raise ValueError(f"judged_on {list(self.judged_on)} names a length twice. Name each once.")
        least = min(self.judged_on)
        if self.judged_on != JUDGED_ON and least > self.labels:
            raise ValueError(f"judged_on {least} is more classes than the {self.labels} labels. Write labels = {least}.")
        ways = {"5-way-1-shot-training": 5, "20-way-1-shot-training": 20}.get(self.start, 2)
        if self.labels < ways:
            raise ValueError(f'start "{self.start}" needs {ways} labels, found {self.labels}. Write labels = {ways}.')
        return self


class Characters(aiga.Plugin):
    """Streams of characters, learnt class by class within a lifetime."""

    name: ClassVar[str] = "characters"
    Options: ClassVar[type[CharactersOptions]] = CharactersOptions
    options: CharactersOptions

    def notice(self) -> list[str]:
        """That scores on drawn characters are none on Omniglot."""
        if self.options.source in ("folder", "omniglot"):
            return []
        return [f'characters are drawn (source = "{self.options.source}"): their scores are not Omniglot\'s']

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``characters``."""
        registry.domain("characters", self._domain)

    def aiga_render(self, lab: aiga.Lab, subject: aiga.Subject) -> Any:
        """Streams as pages of their images, a life by its tests or image by image; see :mod:`aiga_characters.render`."""
        from aiga_characters.render import render

        return render(subject, self._domain)

    @cached_property
    def _domain(self) -> CharactersDomain:
        from aiga_characters.domain import CharactersDomain
        from aiga_characters.exam import Exam
        from aiga_characters.objective import Trial
        from aiga_characters.sets import Source

        o = self.options
        source = Source(o.source, o.folder, o.seed, o.size, o.url, o.hashes)
        return CharactersDomain(
            source,
            o.labels,
            Trial(o.trajectory, o.inner_steps, o.unseen, o.remember),
            o.start,
            Exam(o.judged_on, o.judged_draws, o.judged_newborn),
        )
