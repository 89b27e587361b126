"""What became of each Release, write by write, as the API server has it on record.

Of every write to a Release, its routes, Deployments, Services and Interventions the audit log has the answer: the
object as it was stored. Their resourceVersions are one order for all. So a history is exact: no sample, no guess.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hack.stage.audit import Request
from tidegate.api import ReleaseStatus, parse_release_status
from tidegate.api.meta import ANNOTATION_MOVE_PREFIX
from tidegate.controller.memory import remember
from tidegate.engine.values import Status
from tidegate.errors import TidegateError

WRITES = ("create", "update", "patch", "delete")
KINDS = ("releases", "httproutes", "deployments", "services", "interventions")

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Write:
    """One accepted write. `before`: the object as the log last had it; empty where it did not. `order`: the answer's
    resourceVersion; of a removal, that of the newest write before it."""

    request: Request
    order: int
    before: Document = field(default_factory=dict)

    @property
    def after(self) -> Document:
        return self.request.answer

    @property
    def kind(self) -> str:
        return self.request.resource

    @property
    def name(self) -> str:
        return self.request.name

    @property
    def by_operator(self) -> bool:
        return self.request.by_operator

    @property
    def changed(self) -> bool:
        """Whether the object is another one than before."""
        return self.before != self.after

    @property
    def status(self) -> bool:
        """Whether it is one of a Release's status."""
        return self.kind == "releases" and self.request.subresource == "status"

    @cached_property
    def written(self) -> ReleaseStatus | None:
        """A Release's status after it; None where it can't be read."""
        return read_status(self.after)

    @cached_property
    def memory(self) -> Status | None:
        """The engine's memory in it."""
        return memory_in(self.after)

    def __str__(self) -> str:
        where = f"{self.request.namespace}/{self.name}"
        return f"{self.kind} {where} at resourceVersion {self.order} ({self.request.at})"


@dataclass(frozen=True)
class Step:
    """One status that an operator recorded, and the one that stood there before."""

    write: Write
    was: Status
    now: Status
    written: ReleaseStatus
    declared: Document
    """The Release with the spec on which it was decided: the write would have been refused if it was another."""
    acts: tuple[Document, ...]
    """The Interventions for this Release that were there."""


@dataclass(frozen=True)
class Shift:
    """One write of a route by an operator, for this Release: the moves in its stamp, and what was recorded by then."""

    write: Write
    moves: Mapping[str, int]
    recorded: tuple[Step, ...]
    """Newest last. Empty where no status was written before."""

    @property
    def status(self) -> Status | None:
        return self.recorded[-1].now if self.recorded else None


@dataclass(frozen=True)
class History:
    """All that was written about one Release, of one uid."""

    namespace: str
    name: str
    uid: str
    writes: tuple[Write, ...]
    """In its namespace, in their order."""

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        found: list[Step] = []
        acts: dict[str, Document] = {}
        for write in self.writes:
            if write.kind == "interventions" and _aims_at(write.after, self.name):
                acts[write.name] = write.after
            if not (write.status and write.by_operator and self._is_mine(write)):
                continue
            was, now, written = memory_in(write.before), write.memory, write.written
            if was is not None and now is not None and written is not None:
                found.append(Step(write, was, now, written, write.after, tuple(acts.values())))
        return tuple(found)

    @cached_property
    def shifts(self) -> tuple[Shift, ...]:
        orders = [step.write.order for step in self.steps]
        found = []
        for write in self.writes:
            moves = stamp(write.after, self.name, self.uid) if write.kind == "httproutes" else None
            if moves is not None and write.by_operator and moves != stamp(write.before, self.name, self.uid):
                found.append(Shift(write, moves, self.steps[: bisect_right(orders, write.order)]))
        return tuple(found)

    @property
    def mine(self) -> Iterator[Write]:
        """The operator's own writes."""
        return (write for write in self.writes if write.by_operator)

    def _is_mine(self, write: Write) -> bool:
        return write.name == self.name and uid_of(write.after) == self.uid


def histories(requests: Iterable[Request]) -> list[History]:
    """One for each Release that was ever written, in the order of their first writes."""
    writes: dict[str, list[Write]] = defaultdict(list)
    newest: dict[tuple[str, str, str], Document] = {}
    releases: dict[tuple[str, str, str], None] = {}
    for order, request in _in_order(requests):
        key = (request.namespace, request.resource, request.name)
        writes[request.namespace].append(Write(request, order, newest.get(key, {})))
        newest[key] = {} if request.verb == "delete" and not request.answer.get("spec") else request.answer
        if request.resource == "releases" and uid_of(request.answer):
            releases[request.namespace, request.name, uid_of(request.answer)] = None
    return [History(*release, tuple(writes[release[0]])) for release in releases]


def is_of_interest(request: Request) -> bool:
    """An accepted write of which the log has the whole answer."""
    whole = bool(request.answer) or request.verb == "delete"
    ours = request.resource in KINDS and request.subresource in ("", "status", "scale")
    return ours and whole and request.verb in WRITES and 200 <= request.code < 300


def _in_order(requests: Iterable[Request]) -> Iterator[tuple[int, Request]]:
    """By resourceVersion. A removal's answer has none of its own: it comes after what was answered before it."""
    numbered, newest = [], 0
    for request in sorted(requests, key=lambda one: one.at):
        version = _version(request.answer)
        newest = max(newest, version)
        numbered.append((version or newest, request))
    return iter(sorted(numbered, key=lambda pair: pair[0]))


def _aims_at(intervention: Document, release: str) -> bool:
    target = (intervention.get("spec") or {}).get("targetRef") or {}
    return bool(target.get("name") == release)


def stamp(route: Document, release: str, uid: str) -> Mapping[str, int] | None:
    """The moves by which a Release has signed a route; None where it has not."""
    annotations = (route.get("metadata") or {}).get("annotations") or {}
    try:
        value = json.loads(annotations.get(f"{ANNOTATION_MOVE_PREFIX}{release}", ""))
        return {str(part): int(move) for part, move in value["moves"].items()} if value["uid"] == uid else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def weights(route: Document) -> dict[str, int]:
    """Of each backend, over all rules of a route: the largest weight that it has in one."""
    found: dict[str, int] = {}
    for rule in (route.get("spec") or {}).get("rules") or ():
        for backend in rule.get("backendRefs") or ():
            found[backend["name"]] = max(found.get(backend["name"], 0), backend.get("weight", 1))
    return found


def read_status(document: Document) -> ReleaseStatus | None:
    try:
        return parse_release_status(dict(document)) if document else None
    except TidegateError:
        return None


def memory_in(document: Document) -> Status | None:
    written = read_status(document)
    return None if written is None else remember(written)


def uid_of(document: Document) -> str:
    return str((document.get("metadata") or {}).get("uid", ""))


def _version(document: Document) -> int:
    version = str((document.get("metadata") or {}).get("resourceVersion", ""))
    return int(version) if version.isdigit() else 0
