"""One tree of errors, rooted in `TidegateError`.

An adapter lets nothing else cross its border: `Transient` is tried again by itself, `Permanent` waits for a person.
Every message is a sentence that can stand in a condition as it is: what was wrong, and what to do.
"""

from __future__ import annotations


class TidegateError(Exception):
    """The root: whatever Tidegate raises on purpose is one of these."""

    @property
    def message(self) -> str:
        """The sentence, as a condition shows it."""
        return str(self)


class Transient(TidegateError):
    """It may go away by itself: a time-out, a refused connection, a conflict. It will be tried again."""


class Permanent(TidegateError):
    """Trying again would change nothing: a person has to."""


class Invalid(Permanent):
    """An object says what it must not say.

    `path` is the field, as in `spec.steps[2].weight`; empty where the object as a whole is meant.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path


class NotPermitted(Permanent):
    """An object asks for what it, or who wrote it, may not have."""


class NotFound(Permanent):
    """What an object names is not there."""


# ---- What the Kubernetes API server answers, besides NotFound.


class Conflict(Transient):
    """The object has changed since it was read: read it again, decide again."""


class AlreadyExists(Conflict):
    """An object of that name is there already, maybe from an earlier try of ours."""


class Denied(Permanent):
    """The API server forbids it: a right is missing, or a policy or quota says no."""


class Rejected(Permanent):
    """The API server finds what was sent invalid."""


class Expired(Transient):
    """The place in the history of a kind that was to be gone on from is forgotten: list anew."""


class Unavailable(Transient):
    """No answer, or none that counts. A write that ends so may have been done, or may be done later.

    `retry_after` is the server's wish in seconds, where it gave one.
    """

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after
