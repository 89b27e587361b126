"""What a route tells about its writers: our fence, who edited it last, and whether the data plane has followed.

The fence is an annotation per Release, `tidegate.dev/move-<release>`: {"uid": …, "moves": {part: n}, "at":
milliseconds}. It is never an order. A uid that is not ours counts as no stamp, and so does one that can't be read: an
edit of it can then only cause a write, by the promise in `status`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.api.grammar import parse_time
from tidegate.api.meta import ANNOTATION_MOVE_PREFIX, FIELD_MANAGER
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import annotations_of, section

MOST_MOVES: Final = 2**53  # what every reader of JSON keeps exactly
LATEST: Final = 253_402_300_799_999  # milliseconds: the end of the year 9999, the last that a date can name

_CLOCK_GRAIN: Final = 1.0  # seconds: the grain of times in managedFields


@dataclass(frozen=True, slots=True)
class Stamp:
    """Our last write to a route."""

    moves: Mapping[str, int] = field(default_factory=dict)
    at: float = 0.0  # seconds since the epoch

    def move(self, part: str) -> int:
        return self.moves.get(part, 0)

    def written(self, uid: str) -> str:
        """The annotation's value."""
        value = {"uid": uid, "moves": dict(sorted(self.moves.items())), "at": round(self.at * 1000)}
        return json.dumps(value, separators=(",", ":"))


def annotation(release: str) -> str:
    """The annotation's name."""
    return f"{ANNOTATION_MOVE_PREFIX}{release}"


def stamp_of(route: Object, release: str, uid: str) -> Stamp:
    """The stamp that this very Release left; empty if none."""
    try:
        value = json.loads(annotations_of(route).get(annotation(release), ""))
        if value["uid"] != uid:
            return Stamp()
        moves = {str(part): _number(move, MOST_MOVES) for part, move in value["moves"].items()}
        return Stamp(moves, _number(value["at"], LATEST) / 1000)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Stamp()


def _number(value: object, most: int) -> int:
    """Nothing but what we could have written ourselves. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError
    return value


def token_of(route: Object) -> str:
    """What changes with every edit of the route's spec and with nothing else.

    Not the resourceVersion: that changes also when a gateway reports its status, a moment after each write of ours, and
    a revert must not be refused for that.
    """
    metadata = route["metadata"]
    return f"{metadata.get('uid', '')}/{metadata.get('generation', 0)}"


def last_editor(route: Object) -> str | None:
    """Who last wrote the route's rules, if it was not us; None if it was, or if nobody tells.

    `rules` is one atomic list: the API server takes it from whoever had it and gives it to who changes it.
    """
    owners = [entry for entry in _entries(route) if _owns(entry, "f:spec", "f:rules")]
    if not owners or any(entry.get("manager") == FIELD_MANAGER for entry in owners):
        return None
    return str(max(owners, key=_time).get("manager") or "somebody without a name")


def last_change(obj: Object, *path: str, by_us: bool) -> float:
    """When the field was last written, by us or by others, in seconds since the epoch, at the latest; 0 if nobody
    tells.

    As in ("f:spec", "f:rules"). An entry's time may be that of another of its fields, later than this one's.
    """
    entries = (entry for entry in _entries(obj) if _owns(entry, *path))
    times = [_time(entry) + _CLOCK_GRAIN for entry in entries if by_us == (entry.get("manager") == FIELD_MANAGER)]
    return max(times, default=0.0)


# ---- the data plane


def is_followed(route: Object) -> bool:
    """Whether every gateway of the route has taken its newest spec."""
    generation = route["metadata"].get("generation", 0)
    parents = section(route, "status").get("parents") or ()
    return bool(parents) and all(
        conditions and all(condition.get("observedGeneration", 0) >= generation for condition in conditions)
        for conditions in (parent.get("conditions") or () for parent in parents)
    )


def left_at(route: Object, stamp: Stamp) -> float:
    """When traffic was last moved. By us: as the stamp says, since not every write of ours moves traffic. By others:
    whenever they wrote."""
    return max(stamp.at, last_change(route, "f:spec", "f:rules", by_us=False))


def refusals_of(route: Object) -> Iterator[tuple[str, str, str]]:
    """(gateway, condition type, message) for each condition of the newest spec by which a gateway does not take it."""
    generation = route["metadata"].get("generation", 0)
    for parent in section(route, "status").get("parents") or ():
        for condition in parent.get("conditions") or ():
            current = condition.get("observedGeneration", 0) >= generation
            if current and condition.get("type") in ("Accepted", "ResolvedRefs") and condition.get("status") == "False":
                gateway = str((parent.get("parentRef") or {}).get("name", ""))
                yield gateway, str(condition["type"]), str(condition.get("message") or condition.get("reason") or "")


def _entries(obj: Object) -> Iterator[Mapping[str, Any]]:
    for entry in obj["metadata"].get("managedFields") or ():
        if not entry.get("subresource"):
            yield entry


def _owns(entry: Mapping[str, Any], *path: str) -> bool:
    fields: Any = entry.get("fieldsV1") or {}
    for name in path:
        if not isinstance(fields, Mapping) or name not in fields:
            return False
        fields = fields[name]
    return True


def _time(entry: Mapping[str, Any]) -> float:
    try:
        return parse_time(entry.get("time"))
    except ValueError:
        return 0.0
