"""Text, read word by word: how well does an agent say what comes next?"""

from aiga_text.plugin import Text as Text

__all__ = ["Text"]
