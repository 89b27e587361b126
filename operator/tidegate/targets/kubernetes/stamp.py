"""What the object that carries a split tells about its writers: our fence, who edited it last, and when.

The fence is an annotation per Release, `tidegate.dev/move-<release>`: {"uid": …, "moves": {part: n}, "at":
milliseconds}, and "splits" where the object can't say them exactly. It is never an order. A uid that is not ours counts
as no stamp, and so does one that can't be read: an edit of it can then only cause a write, by the promise in `status`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tidegate.api.grammar import parse_time
from tidegate.api.meta import ANNOTATION_MOVE_PREFIX, FIELD_MANAGER
from tidegate.engine.values import FULL
from tidegate.kube import Object
from tidegate.targets.kubernetes.names import annotations_of

MOST_MOVES: Final = 2**53  # what every reader of JSON keeps exactly
LATEST: Final = 253_402_300_799_999  # milliseconds: the end of the year 9999, the last that a date can name

_CLOCK_GRAIN: Final = 1.0  # seconds: the grain of times in managedFields


@dataclass(frozen=True, slots=True)
class Stamp:
    """Our last write of a split."""

    moves: Mapping[str, int] = field(default_factory=dict)
    at: float = 0.0  # seconds since the epoch
    # by part, then by revision (short): the shares that were written, where the object itself can't say them exactly
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def move(self, part: str) -> int:
        return self.moves.get(part, 0)

    def written(self, uid: str) -> str:
        """The annotation's value."""
        value: dict[str, Any] = {
            "uid": uid,
            "moves": dict(sorted(self.moves.items())),
            "at": round(self.at * 1000),
        }
        if self.splits:
            value["splits"] = {part: dict(sorted(split.items())) for part, split in sorted(self.splits.items())}
        return json.dumps(value, separators=(",", ":"))


def annotation(release: str) -> str:
    """The annotation's name."""
    return f"{ANNOTATION_MOVE_PREFIX}{release}"


def stamp_of(obj: Object, release: str, uid: str) -> Stamp:
    """The stamp that this very Release left; empty if none."""
    try:
        value = json.loads(annotations_of(obj).get(annotation(release), ""))
        if value["uid"] != uid:
            return Stamp()
        moves = {str(part): _number(move, MOST_MOVES) for part, move in value["moves"].items()}
        splits = {
            str(part): {str(content): _number(share, FULL) for content, share in split.items()}
            for part, split in value.get("splits", {}).items()
        }
        return Stamp(moves, _number(value["at"], LATEST) / 1000, splits)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Stamp()


def _number(value: object, most: int) -> int:
    """Nothing but what we could have written ourselves. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError
    return value


def token_of(obj: Object) -> str:
    """What changes with every edit of the object's spec and with nothing else.

    Not the resourceVersion: that changes also when a gateway reports its status, a moment after each write of ours, and
    a revert must not be refused for that.
    """
    metadata = obj["metadata"]
    return f"{metadata.get('uid', '')}/{metadata.get('generation', 0)}"


def last_editor(obj: Object, *path: str) -> str | None:
    """Who last wrote the field, if it was not us; None if it was, or if nobody tells.

    Of an atomic field, such as the rules of a route: the API server takes it from whoever had it and gives it to who
    changes it.
    """
    owners = [entry for entry in _entries(obj) if _owns(entry, *path)]
    if not owners or any(entry.get("manager") == FIELD_MANAGER for entry in owners):
        return None
    return str(max(owners, key=_time).get("manager") or "somebody without a name")


def writer_of(obj: Object, *path: str) -> str | None:
    """Who gave the field the value that it has, us before others, be it by a subresource such as `scale`."""
    owners = [entry for entry in obj["metadata"].get("managedFields") or () if _owns(entry, *path)]
    if any(entry.get("manager") == FIELD_MANAGER for entry in owners):
        return FIELD_MANAGER
    return str(max(owners, key=_time).get("manager") or "somebody without a name") if owners else None


def last_change(obj: Object, *path: str, by_us: bool) -> float:
    """When the field was last written, by us or by others, in seconds since the epoch, at the latest; 0 if nobody
    tells.

    As in ("f:spec", "f:rules"). An entry's time may be that of another of its fields, later than this one's.
    """
    entries = (entry for entry in _entries(obj) if _owns(entry, *path))
    times = [_time(entry) + _CLOCK_GRAIN for entry in entries if by_us == (entry.get("manager") == FIELD_MANAGER)]
    return max(times, default=0.0)


def left_at(obj: Object, stamp: Stamp, *path: str) -> float:
    """When traffic was last moved. By us: as the stamp says, since not every write of ours moves traffic. By others:
    whenever they wrote the field."""
    return max(stamp.at, last_change(obj, *path, by_us=False))


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
