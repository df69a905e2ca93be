"""What aiga tells a person who made a mistake, or whose run met one."""

from __future__ import annotations


class AigaError(Exception):
    """A message for a person, complete in itself; the command line prints it without a traceback."""

    exit_code = 1


class InputError(AigaError):
    """Bad input: every mistake found, a line each, naming place, key, what was found and the remedy."""

    exit_code = 2

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class PluginError(AigaError):
    """A plugin raised; says which plugin, which hook and which iteration."""


class StorageError(AigaError):
    """A run directory could not be written or read; what was saved before stays readable."""


class Abandoned(BaseException):
    """The iteration was given up on request, its start is kept. No plugin's ``except Exception`` shall stop it."""


# What a plugin may raise to end the process, or a coroutine, without meaning to end the run. KeyboardInterrupt is a person's.
RAISED = (Exception, SystemExit, GeneratorExit)
