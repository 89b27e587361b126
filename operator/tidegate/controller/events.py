"""Kubernetes Events: one a transition, told once, and never waited for.

The name of an Event follows from what it is about, so that telling the same again after a crash finds it there.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime
from typing import Any, Final

from tidegate.api.meta import GROUP
from tidegate.errors import AlreadyExists, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.resources import EVENTS, Object, key_of, uid_of

CONTROLLER: Final = f"{GROUP}/operator"
_LONGEST_NOTE: Final = 1024  # bytes, as the API server counts
_AT_ONCE: Final = 4  # the connections are for what matters more
_WAITING_AT_MOST: Final = 1000

logger = logging.getLogger(__name__)


class Reporter:
    """Writes Events in the background. `instance` names this process."""

    def __init__(self, client: Client, instance: str) -> None:
        self._client = client
        self._instance = instance[:128]
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def record(
        self,
        regarding: Object,
        reason: str,
        note: str,
        *,
        action: str,
        warning: bool = False,
        occasion: str | None = None,
    ) -> None:
        """Tell it, soon. `reason` and `action` are CamelCase words, `note` is a sentence.

        `occasion` tells two Events of one reason apart; by default it is the attempt and the move in the object's
        status. Told again with the same uid, reason and occasion it is the same Event. If it can't be written, a log
        line says so, and that is all.
        """
        if len(self._tasks) >= _WAITING_AT_MOST:
            logger.warning("too many Events wait, this one is not written: %s: %s", reason, note)
            return
        kind = "Warning" if warning else "Normal"
        body = _body(regarding, reason, note, action, kind, occasion or _occasion(regarding), self._instance)
        task = asyncio.get_running_loop().create_task(self._write(body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def flush(self, seconds: float) -> None:
        """Wait for what is on its way, at most so long; drop the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()

    async def _write(self, body: Object) -> None:
        try:
            async with self._slots:
                await self._client.create(EVENTS, body["metadata"]["namespace"], body)
        except AlreadyExists:
            pass
        except TidegateError as error:
            logger.warning("an Event was not written: %s: %s (%s)", body["reason"], body["note"], error)


def _body(
    regarding: Object, reason: str, note: str, action: str, kind: str, occasion: str, instance: str
) -> dict[str, Any]:
    place, uid = key_of(regarding), uid_of(regarding)
    digest = hashlib.sha256(f"{uid}/{reason}/{occasion}".encode()).hexdigest()[:16]
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{place.name[:200]}.{digest}", "namespace": place.namespace},
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": CONTROLLER,
        "reportingInstance": instance,
        "action": action,
        "reason": reason,
        "type": kind,
        "note": _cut(note),
        "regarding": {
            "apiVersion": regarding["apiVersion"],
            "kind": regarding["kind"],
            "namespace": place.namespace,
            "name": place.name,
            "uid": uid,
            "resourceVersion": str(regarding["metadata"].get("resourceVersion", "")),
        },
    }


def _occasion(regarding: Object) -> str:
    status = regarding.get("status") or {}
    return f"{status.get('attempt', 0)}/{status.get('move', 0)}"


def _cut(note: str) -> str:
    raw = note.encode()
    return note if len(raw) <= _LONGEST_NOTE else raw[: _LONGEST_NOTE - 3].decode(errors="ignore") + "…"
