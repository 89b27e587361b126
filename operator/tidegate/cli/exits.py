"""Exit codes. They are part of the interface: scripts branch on them."""

from __future__ import annotations

from enum import IntEnum

from tidegate.errors import Denied, NotFound, TidegateError, Unavailable


class Exit(IntEnum):
    """What became of a command."""

    OK = 0
    NO = 1
    """The answer is no: an act was refused, lint found a fault, a watched Release is stalled."""
    USAGE = 2
    """The command itself is wrong; nothing was asked."""
    NO_ACCESS = 3
    """The cluster can't be reached, or does not permit it."""
    NOT_FOUND = 4
    """What was named does not exist."""
    TIMED_OUT = 5
    """Nobody answered in time. What was asked for still stands."""
    BUG = 70
    """Tidegate itself is wrong (EX_SOFTWARE)."""
    INTERRUPTED = 130
    """Ctrl-C."""


class CommandFailed(TidegateError):
    """The command ends here, with this sentence and this code."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.code = code


def code_of(error: TidegateError) -> Exit:
    """The exit code for an error that nobody handled."""
    match error:
        case CommandFailed():
            return error.code
        case NotFound():
            return Exit.NOT_FOUND
        case Denied() | Unavailable():
            return Exit.NO_ACCESS
        case _:
            return Exit.NO
