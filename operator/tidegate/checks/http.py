"""A check by one GET to the candidate: straight to a pod, or by the front door with the header of its preview. No
redirect is followed, no body is read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import httpx

from tidegate.api.grammar import expand
from tidegate.api.meta import short
from tidegate.api.release import HTTPCheck
from tidegate.checks.answers import Answers
from tidegate.checks.front_door import front_door
from tidegate.checks.port import App, CheckResult, Reachable
from tidegate.engine.values import CheckKey, Outcome
from tidegate.errors import Permanent, Transient
from tidegate.kube import Cluster, Key

TIMEOUT: Final = 5.0  # seconds, where the check says nothing
AGAIN: Final = 0.5  # seconds until a pod that refused the connection is asked again, within the same time-out
AT_ONCE: Final = 32


class Asked(NamedTuple):
    """One GET."""

    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    server: str | None = None  # whose certificate is expected, where that is not the one in the URL


class HTTPChecks:
    """Asks in the background, and calls `wake` with the Release's key when the answer is there."""

    def __init__(
        self, cluster: Cluster, wake: Callable[[Key], None], *, client: httpx.AsyncClient | None = None
    ) -> None:
        self._cluster = cluster
        self._wake = wake
        self._client = client
        self._answers = Answers()
        self._asking: dict[tuple[str, CheckKey], asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(AT_ONCE)

    async def run(self, app: App, key: CheckKey, sizes: Mapping[tuple[str, str], Reachable]) -> None:
        place = (app.uid, key)
        check = http_of(app, key)
        if check is None or place in self._asking or self._answers.get(app, key) is not None:
            return
        candidate = app.status.candidate
        content = candidate.runs(check.component) if candidate else None
        size = sizes.get((check.component, content)) if content else None
        if candidate is None or size is None or not size.endpoints:
            raise Transient(f"Check {key.name} waits: no pod of {check.component} is ready to be asked.")
        names = {"version": candidate.name, "revision": short(candidate.content), "release": app.name}
        try:
            path = expand(check.path, {name: quote(value, safe="") for name, value in names.items()})
        except ValueError as error:
            self._answers.put(app, key, CheckResult(Outcome.FAILED, f"Check {key.name} can't be asked: {error}."))
            self._wake(Key(app.namespace, app.name))
            return
        if check.via is None:
            asked = Asked(f"http://{size.endpoints[0]}{path}")
        elif size.marked:
            asked = await self._through_the_front_door(app, check, path, candidate.name)
        else:
            raise Transient(f"Check {key.name} waits: the preview of {check.component} does not stand yet.")
        if place in self._asking:
            return  # by another call, while this one looked for the door
        task = asyncio.create_task(self._ask(app, key, check, asked), name=f"check {key.name}")
        self._asking[place] = task
        task.add_done_callback(lambda _: self._asking.pop(place, None))

    def observe(self, app: App, keys: Iterable[CheckKey]) -> Mapping[CheckKey, CheckResult]:
        known: dict[CheckKey, CheckResult] = {}
        for key in keys:
            if answer := self._answers.get(app, key):
                known[key] = answer
            elif (app.uid, key) in self._asking:
                known[key] = CheckResult(Outcome.RUNNING)
        return known

    def forget(self, namespace: str, name: str) -> None:
        self._answers.forget(namespace, name)

    async def close(self) -> None:
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _through_the_front_door(self, app: App, check: HTTPCheck, path: str, version: str) -> Asked:
        """Raises Transient where there is none, or Permanent where the component has no preview."""
        component = next(each for each in app.release.spec.components if each.name == check.component)
        header, route = component.kubernetes.preview_header, component.kubernetes.traffic.http_route
        if header is None or route is None:
            raise Permanent(f"Component {check.component} has no preview: write one, or leave `via` out of the check.")
        door = await front_door(self._cluster, app.namespace, route.name)
        host = {} if door.host is None else {"Host": door.host}
        return Asked(f"{door.base}{path}", {**host, header: version}, door.host)

    async def _ask(self, app: App, key: CheckKey, check: HTTPCheck, asked: Asked) -> None:
        async with self._room:
            if self._client is None:
                self._client = httpx.AsyncClient(timeout=None, follow_redirects=False, trust_env=False)
            result = await ask(self._client, asked, check, key.name)
        self._answers.put(app, key, result)
        self._wake(Key(app.namespace, app.name))


def http_of(app: App, key: CheckKey) -> HTTPCheck | None:
    """What the spec says of a check, if it is one of this kind."""
    return next((check.http for check in app.release.spec.checks if check.name == key.name), None)


async def ask(client: httpx.AsyncClient, asked: Asked, check: HTTPCheck, name: str) -> CheckResult:
    """One answer counts. A connection that is refused is none: it is tried again until the time is over."""
    limit = TIMEOUT if check.timeout is None else check.timeout
    way = "" if check.via is None else " through its Gateway"
    what = f"Check {name}: GET {check.path} of {check.component}{way}"
    expected: dict[str, Any] = {} if asked.server is None else {"sni_hostname": asked.server}
    trouble = ""
    status: int | None = None
    try:
        async with asyncio.timeout(limit):
            while status is None:
                try:
                    async with client.stream(
                        "GET", asked.url, headers=dict(asked.headers), extensions=expected
                    ) as response:
                        status = response.status_code
                except httpx.InvalidURL as error:
                    return CheckResult(Outcome.FAILED, f"{what} can't be asked: {error}.")
                except httpx.HTTPError as error:
                    trouble = f" ({type(error).__name__})"
                    await asyncio.sleep(AGAIN)
    except TimeoutError:
        return CheckResult(Outcome.FAILED, f"{what} got no answer within {limit:g} s{trouble}.")
    if status in check.status:
        return CheckResult(Outcome.PASSED, f"{what} answered {status}.")
    wanted = " or ".join(str(good) for good in check.status)
    return CheckResult(Outcome.FAILED, f"{what} answered {status}, not {wanted}.")
