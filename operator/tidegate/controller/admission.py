"""Whether the admission policies that prove identity are in force.

Without them anybody could write an Intervention in another's name: then only acts that lower exposure are obeyed. The
leader asks in the background, every ten minutes, or every minute while one is missing; and before an act is obeyed that
depends on it, where the last answer is older than a minute.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, NoReturn, Protocol

from tidegate.errors import Denied, NotFound, TidegateError
from tidegate.kube.client import Client
from tidegate.kube.resources import Key, Resource

logger = logging.getLogger(__name__)

POLICIES: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicies", "ValidatingAdmissionPolicy"
)
BINDINGS: Final = Resource(
    "admissionregistration.k8s.io", "v1", "validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"
)
NAMES: Final = ("tidegate-releases", "tidegate-interventions")
GOOD_FOR: Final = 60.0

MISSING: Final = (
    "the admission policies that prove who wrote this are not installed, so that only what lowers exposure is obeyed; "
    "install them: kubectl apply -f manifests/base/admission.yaml"
)
UNPROVEN: Final = (
    "the admission policies that prove who wrote an Intervention are not installed: of Interventions only what lowers "
    "exposure is obeyed; install them: kubectl apply -f manifests/base/admission.yaml"
)


class Leadership(Protocol):
    async def opened(self) -> None: ...


class Admission:
    """`wake(key)` is called when an answer came that a Release waits for, `changed()` when an answer is news to all,
    and `told(name, present)` with each policy at each answer."""

    def __init__(
        self,
        client: Client,
        wake: Callable[[Key], None],
        *,
        changed: Callable[[], None] = lambda: None,
        told: Callable[[str, bool], None] = lambda name, present: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._wake, self._clock = client, wake, clock
        self._changed, self._told = changed, told
        self._present: bool | None = None
        self._asked = -GOOD_FOR
        self._task: asyncio.Task[None] | None = None
        self._waiting: set[Key] = set()

    @property
    def known(self) -> bool | None:
        """Whether they were there when last asked; None if nobody has."""
        return self._present

    async def run(self, leadership: Leadership, period: float) -> NoReturn:
        """Ask every so many seconds, once we lead."""
        await leadership.opened()
        while True:
            if self._task is None:
                self._task = asyncio.get_running_loop().create_task(self._ask())
            await asyncio.wait({self._task})
            await asyncio.sleep(period if self._present else min(period, GOOD_FOR))

    def in_force(self, key: Key) -> bool | None:
        """Whether they are; None while that is being asked, then `key` is woken."""
        if self._clock() - self._asked < GOOD_FOR and self._present is not None:
            return self._present
        self._waiting.add(key)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._ask())
        return None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _ask(self) -> None:
        try:
            there = {name: await self._there(POLICIES, name) and await self._there(BINDINGS, name) for name in NAMES}
            before, self._present, self._asked = self._present, all(there.values()), self._clock()
            for name, present in there.items():
                self._told(name, present)
            if self._present is not (True if before is None else before):
                if not self._present:
                    logger.warning("%s", UNPROVEN)
                self._changed()
        except TidegateError:
            await asyncio.sleep(1.0)  # no answer: those who wait ask again
        finally:
            self._task = None
            waiting, self._waiting = self._waiting, set()
            for key in waiting:
                self._wake(key)

    async def _there(self, kind: Resource, name: str) -> bool:
        """What we may not see proves nothing, and counts as missing."""
        try:
            await self._client.get(kind, None, name)
        except (NotFound, Denied):
            return False
        return True
