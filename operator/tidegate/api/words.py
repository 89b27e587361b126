"""Words with a fixed meaning that a status speaks in. They may grow; a reader bears one that it doesn't know: it is
read as itself, equals none of the known ones, and is written back as it was.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Word(StrEnum):
    """A word of a status. Any text is one; `known` says whether this version of Tidegate has a meaning for it."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_ = word._value_ = value
        return word

    @property
    def known(self) -> bool:
        return self.value in {word.value for word in type(self)}


class Phase(Word):
    """Where a Release is, for people. Paused is no phase."""

    IDLE = "Idle"
    WAITING = "Waiting"
    PREPARING = "Preparing"
    PROGRESSING = "Progressing"
    COMPLETING = "Completing"
    COMPLETED = "Completed"
    REVERTING = "Reverting"
    REVERTED = "Reverted"
    FAILED = "Failed"
    GONE = "Gone"


CLIMBING = frozenset({Phase.PREPARING, Phase.PROGRESSING, Phase.COMPLETING})


class Cause(Word):
    """Why an attempt was turned back, in the order in which they are asked for."""

    PERSON = "Person"
    BREACH = "Breach"
    CHECK_FAILED = "CheckFailed"
    HEALTH_LOST = "HealthLost"
    DEADLINE = "Deadline"
    DELETED = "Deleted"
    PUT_BACK = "PutBack"
    SUPERSEDED = "Superseded"
    ADOPTED = "Adopted"  # of a recall alone: nothing is turned back

    @property
    def rejects(self) -> bool:
        """Whether the revision is not to rise again without a Retry."""
        return self in (Cause.PERSON, Cause.BREACH, Cause.CHECK_FAILED, Cause.HEALTH_LOST, Cause.DEADLINE)


class Verdict(Word):
    """What a guard says, strongest first; the strongest of all counts."""

    BREACH = "Breach"
    UNKNOWN = "Unknown"
    HOLD = "Hold"
    NO_TRAFFIC = "NoTraffic"
    INCONCLUSIVE = "Inconclusive"
    PASS = "Pass"


class Outcome(Word):
    """How an attempt ended."""

    COMPLETED = "Completed"
    REVERTED = "Reverted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"


class CheckOutcome(Word):
    """How a check ended."""

    PASSED = "Passed"
    FAILED = "Failed"
