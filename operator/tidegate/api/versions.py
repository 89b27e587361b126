"""A version of the whole app in a status: what it is called, what runs of it, and since when it is what it is."""

from __future__ import annotations

from typing import Annotated, Final

from tidegate.api.grammar import Time
from tidegate.api.schema import Part, Schema

CHANGED_VERSION: Final = "Version"
"""In a list of what changed: the version itself."""


class Piece(Part):
    """Under which revision a component runs, where that is not the version's own: an unchanged one keeps its pods."""

    component: str
    """Name of the component."""
    revision: str
    """The revision under which it runs."""
    artifact: str = ""
    """SHA-256 of this component alone: while it stays, the component takes no part in a climb."""


class VersionRef(Part):
    """A version of the whole app, as it was declared once."""

    version: str = ""
    """The version, as people call it."""
    revision: str = ""
    """SHA-256 of what runs; the first ten characters stand in names and labels."""
    attempt: int = 0
    """The attempt that it climbed, or climbs, in."""
    author: str = ""
    """Who wrote the spec that asked for it."""
    pieces: Annotated[tuple[Piece, ...], Schema(list_type="atomic")] = ()
    """Its components, each with the revision under which it runs."""


class StableRef(VersionRef):
    """The proven version: where a revert goes."""

    since: Time | None = None
    """When it was proven."""


class PreviousRef(VersionRef):
    """The version before the stable one."""

    warm_until: Time | None = None
    """Until then its pods stay, for a rollback in seconds. Absent: it is cold."""


class CandidateRef(VersionRef):
    """The version that climbs, or would begin to."""

    started_at: Time | None = None
    """When the attempt began. Absent: it waits."""
    changed: Annotated[tuple[str, ...], Schema(list_type="atomic")] = ()
    """What differs from the stable version: Version, or what else, as in ConfigMap settings."""
