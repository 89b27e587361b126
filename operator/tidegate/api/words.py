"""Words with a fixed meaning that a status speaks in. They may grow; a reader bears one that it doesn't know."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
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


class Cause(StrEnum):
    """Why an attempt was turned back, in the order in which they are asked for."""

    PERSON = "Person"
    BREACH = "Breach"
    CHECK_FAILED = "CheckFailed"
    HEALTH_LOST = "HealthLost"
    DEADLINE = "Deadline"
    DELETED = "Deleted"
    PUT_BACK = "PutBack"
    SUPERSEDED = "Superseded"

    @property
    def rejects(self) -> bool:
        """Whether the revision is not to rise again without a Retry."""
        return self in (Cause.PERSON, Cause.BREACH, Cause.CHECK_FAILED, Cause.HEALTH_LOST, Cause.DEADLINE)


class Verdict(StrEnum):
    """What a guard says, strongest first; the strongest of all counts."""

    BREACH = "Breach"
    UNKNOWN = "Unknown"
    HOLD = "Hold"
    NO_TRAFFIC = "NoTraffic"
    INCONCLUSIVE = "Inconclusive"
    PASS = "Pass"


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "Completed"
    REVERTED = "Reverted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    FAILED = "Failed"


class CheckOutcome(StrEnum):
    """How a check ended."""

    PASSED = "Passed"
    FAILED = "Failed"
