"""The plugin ``text``: registers the domain."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

import aiga
from aiga.hooks import absolute

_File = Annotated[str, AfterValidator(absolute)]


class TextOptions(aiga.Options):
    """Options of the text.

    Attributes:
        file: of UTF-8 text, whose lines are split 80 : 10 : 10; empty for the sample, a story of 3,400 words.
        valid: a file of its own to tune with; ``test`` is needed too, and ``file`` is then all to learn with.
        test: a file of its own to judge by.
        vocabulary: most different words; rarer ones are one unknown word (Penn Treebank: 10000).
        lower: whether capitals are small letters.
        cut: ``words`` finds words and signs; ``spaces`` takes what stands between spaces (Penn Treebank).
        passage: words of a passage that a search starts with.
        bptt: words through which the loss is back-propagated.
        burn_in: words read before those, without gradients.
    """

    file: _File = ""
    valid: _File = ""
    test: _File = ""
    vocabulary: int = Field(default=1000, ge=3)
    lower: bool = True
    cut: Literal["words", "spaces"] = "words"
    passage: int = Field(default=200, ge=20)
    bptt: int = Field(default=35, ge=1)
    burn_in: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _whole(self) -> TextOptions:
        named = [name for name in ("file", "valid", "test") if getattr(self, name)]
        if named not in ([], ["file"], ["file", "valid", "test"]):
            raise ValueError(
                f"only {' and '.join(named)} given. Give file, valid and test, or file alone, which is split, or none of them."
            )
        return self


class Text(aiga.Plugin):
    """A text of one's own, or a sample, read word by word."""

    name: ClassVar[str] = "text"
    Options: ClassVar[type[TextOptions]] = TextOptions
    options: TextOptions

    def aiga_register(self, registry: aiga.Registry) -> None:
        """Registers the domain ``text``."""
        from aiga_text.corpus import Source
        from aiga_text.domain import TextDomain

        o = self.options
        source = Source(o.file, o.valid, o.test, o.vocabulary, o.lower, o.cut)
        registry.domain("text", TextDomain(source, o.passage, o.bptt, o.burn_in))
