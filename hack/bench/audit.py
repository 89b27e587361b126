"""What a user asked of the API server, by its audit log."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
STANDING = frozenset({"events", "controllerrevisions", "leases"})
"""Kinds whose writes are not counted as those of a release or a revert: its diary, its archive, and the Lease."""


class Asked(NamedTuple):
    """One request. `at` is when it was answered, or when a watch began; seconds since the epoch."""

    at: float
    verb: str
    resource: str  # with its subresource: releases/status
    namespace: str
    name: str
    code: int

    @property
    def is_write(self) -> bool:
        return self.verb in WRITES

    @property
    def counts(self) -> bool:
        """A write that moves a release: no Event, no ControllerRevision, no removal, no Lease."""
        kind = self.resource.partition("/")[0]
        return self.is_write and self.verb != "delete" and kind not in STANDING


def read(log: Path, user: str, since: float = 0.0, until: float = float("inf")) -> Sequence[Asked]:
    """In the order of the log, which may have been rotated. Only requests for objects, not for what is served."""
    found = []
    for file in [*sorted(log.parent.glob(f"{log.stem}-*{log.suffix}")), log]:
        with file.open() as lines:
            for line in lines:
                entry = json.loads(line)
                about = entry.get("objectRef")
                if entry["user"]["username"] != user or about is None:
                    continue
                if entry["verb"] == "watch" and entry["stage"] != "ResponseStarted":
                    continue
                asked = _asked(entry, about)
                if since <= asked.at <= until:
                    found.append(asked)
    return found


def _asked(entry: dict[str, object], about: dict[str, str]) -> Asked:
    resource, part = about.get("resource", ""), about.get("subresource")
    answered = entry.get("responseStatus")
    return Asked(
        at=datetime.fromisoformat(str(entry["stageTimestamp"])).timestamp(),
        verb=str(entry["verb"]),
        resource=f"{resource}/{part}" if part else resource,
        namespace=about.get("namespace", ""),
        name=about.get("name", ""),
        code=int(answered.get("code", 0)) if isinstance(answered, dict) else 0,
    )


def summary(asked: Iterable[Asked]) -> str:
    """`patch releases/status 200: 2, …`, the most frequent first."""
    counts = Counter(f"{each.verb} {each.resource} {each.code}" for each in asked)
    return ", ".join(f"{what}: {count}" for what, count in counts.most_common())
