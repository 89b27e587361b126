"""`/health`, `/ready` and `/version`, read from the candidate's pods in the background.

A pass never waits for a pod: `look` gives what the last reading found and sees to the next one. Answers are bounded, no
redirect is followed, and of a body nothing is kept but the names of dependencies that are down, and whether the version
agrees.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import httpx

from tidegate.api.conditions import Reason
from tidegate.api.release import Probes
from tidegate.kube import Key

TIMEOUT: Final = 2.0  # seconds for one answer, body included
AGAIN: Final = 2.0  # seconds until a pod that did not pass is asked again
AT_ONCE: Final = 32  # pods
LONGEST_BODY: Final = 64 * 1024

PROBE_FAILED: Final = "ProbeFailed"
VERSION_MISMATCH: Final = "VersionMismatch"

_WELL: Final = frozenset({"ok", "up", "healthy", "ready", "pass", "passed", "true", "green", "connected", "available"})
_DOWN: Final = frozenset(
    {"down", "fail", "failed", "failing", "error", "unhealthy", "unavailable", "unready", "disconnected"}
)
_NAMES_OF_LISTS: Final = ("dependencies", "checks", "components", "details")
_MOST_NAMES: Final = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """One pod, and what is asked of it."""

    uid: str
    pod: str
    endpoint: str  # host:port
    version: str
    probes: Probes
    settled: bool  # the kubelet calls it ready: once it has passed, it need not be asked again


class Finding(NamedTuple):
    """What is wrong with a pod."""

    reason: str
    sentence: str
    lasting: bool


@dataclass(slots=True)
class _Record:
    passed: bool = False  # once is for ever: from then on the kubelet watches
    findings: tuple[Finding, ...] = ()
    read_at: float | None = None  # loop time
    reading: asyncio.Task[None] | None = None


class Prober:
    """One for the operator. A record lives as long as its pod is asked for; at rest there is no task."""

    def __init__(self, wake: Callable[[Key], None], *, client: httpx.AsyncClient | None = None) -> None:
        self._wake = wake
        self._client = client
        self._room = asyncio.Semaphore(AT_ONCE)
        self._records: dict[Key, dict[str, _Record]] = {}

    def look(self, key: Key, asked: Sequence[Asked]) -> Mapping[str, bool]:
        """Which of these pods have passed, by uid; sees to the next readings. Who is not asked for is forgotten."""
        if not asked:
            self.forget(key)
            return {}
        known = self._records.get(key, {})
        records = {pod.uid: known.pop(pod.uid, _Record()) for pod in asked}
        for gone in known.values():
            if gone.reading is not None:
                gone.reading.cancel()
        self._records[key] = records
        now = asyncio.get_running_loop().time()
        for pod in asked:
            record = records[pod.uid]
            due = record.read_at is None or now - record.read_at >= AGAIN
            if record.reading is None and due and not (record.passed and pod.settled):
                record.reading = asyncio.create_task(
                    self._read(key, pod, record), name=f"probe {key.namespace}/{pod.pod}"
                )
        return {uid: record.passed for uid, record in records.items()}

    def findings(self, key: Key, uids: Collection[str]) -> Sequence[Finding]:
        """What the last readings of these pods found, one a reason."""
        by_reason: dict[str, Finding] = {}
        for uid, record in self._records.get(key, {}).items():
            for finding in record.findings if uid in uids else ():
                by_reason.setdefault(finding.reason, finding)
        return list(by_reason.values())

    def forget(self, key: Key) -> None:
        for record in self._records.pop(key, {}).values():
            if record.reading is not None:
                record.reading.cancel()

    async def close(self) -> None:
        """End all readings, and the connections that are ours."""
        tasks = [record.reading for records in self._records.values() for record in records.values() if record.reading]
        for key in list(self._records):
            self.forget(key)
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _read(self, key: Key, asked: Asked, record: _Record) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with self._room:
                findings = await read(self._http(), asked)
        finally:
            record.reading = None
            record.read_at = loop.time()
        changed = findings != record.findings or (not findings and not record.passed)
        record.findings = findings
        record.passed = record.passed or not findings
        if changed:
            self._wake(key)
        if findings:
            loop.call_later(AGAIN, self._wake, key)

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=False, trust_env=False)
        return self._client


async def read(client: httpx.AsyncClient, asked: Asked) -> tuple[Finding, ...]:
    """Ask one pod for all that its component has a path for. Empty: it passed."""
    probes = asked.probes
    findings: list[Finding] = []
    for path, judge in ((probes.health, _health), (probes.ready, _ready), (probes.version, _version)):
        if path is None:
            continue
        try:
            async with asyncio.timeout(TIMEOUT):
                status, body = await _get(client, f"http://{asked.endpoint}{path}")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            why = (
                f"no answer within {TIMEOUT:g} s"
                if isinstance(error, TimeoutError | httpx.TimeoutException)
                else type(error).__name__
            )
            findings.append(
                Finding(PROBE_FAILED, f"{path} of pod {asked.pod} ({asked.version}) does not answer: {why}", False)
            )
            continue
        if finding := judge(asked, path, status, body):
            findings.append(finding)
    return tuple(findings)


async def _get(client: httpx.AsyncClient, url: str) -> tuple[int, bytes]:
    """Status, and as much of the body as may be read."""
    body = bytearray()
    async with client.stream("GET", url, headers={"Accept": "application/json, text/plain"}) as response:
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > LONGEST_BODY:
                break
    return response.status_code, bytes(body[:LONGEST_BODY])


def _health(asked: Asked, path: str, status: int, body: bytes) -> Finding | None:
    if status == 200:
        return None
    return Finding(PROBE_FAILED, f"{path} of pod {asked.pod} ({asked.version}) answers {status}, not 200", False)


def _ready(asked: Asked, path: str, status: int, body: bytes) -> Finding | None:
    if status == 200:
        return None
    down = dependencies_down(body)
    if down:
        names = ", ".join(down)
        verb = "is" if len(down) == 1 else "are"
        sentence = f"{path} of pod {asked.pod} ({asked.version}) answers {status}: {names} {verb} down"
        return Finding(Reason.DEPENDENCY_DOWN, sentence, False)
    return Finding(PROBE_FAILED, f"{path} of pod {asked.pod} ({asked.version}) answers {status}, not 200", False)


def _version(asked: Asked, path: str, status: int, body: bytes) -> Finding | None:
    if status != 200:
        return Finding(PROBE_FAILED, f"{path} of pod {asked.pod} ({asked.version}) answers {status}, not 200", False)
    if version_told(body) == asked.version:
        return None
    sentence = (
        f"{path} of pod {asked.pod} does not answer {asked.version}, the version that was asked for: "
        "the image is another one than its tag says"
    )
    return Finding(VERSION_MISMATCH, sentence, True)


def version_told(body: bytes) -> str:
    """From a JSON with `version`, a JSON text, or plain text."""
    text = body.decode(errors="replace").strip()
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, Mapping):
        value = value.get("version")
    return value if isinstance(value, str) else text


def dependencies_down(body: bytes) -> Sequence[str]:
    """Names of dependencies that a JSON body calls down, at most five.

    Read are {"dependencies": {"db": "down"}}, the same under `checks`, `components` or `details`, a list of {"name",
    "status"}, and a flat object. A status is a word, a boolean, or an object with `status`.
    """
    try:
        value = json.loads(body)
    except ValueError:
        return []
    if not isinstance(value, Mapping):
        return []
    listed: Any = next((value[name] for name in _NAMES_OF_LISTS if value.get(name)), None)
    if listed is None:  # flat, and so among other things: only what is plainly down counts
        flat = {name: status for name, status in value.items() if name != "status"}
        listed = {name: status for name, status in flat.items() if status is False or str(status).lower() in _DOWN}
    if isinstance(listed, list):
        listed = {item.get("name"): item for item in listed if isinstance(item, Mapping)}
    if not isinstance(listed, Mapping):
        return []
    down = [_printable(name) for name, status in listed.items() if _is_down(status)]
    return down[:_MOST_NAMES]


def _is_down(status: Any) -> bool:
    if isinstance(status, Mapping):
        status = status.get("status", status.get("state", status.get("healthy", status.get("ok"))))
    if isinstance(status, bool):
        return not status
    return isinstance(status, str) and status.strip().lower() not in _WELL


def _printable(name: object) -> str:
    return "".join(character for character in str(name) if character.isprintable())[:63]
