"""Who leads: a Lease, held by one replica, renewed every 2 s, and left to another when it is not renewed for 15 s.

Clocks of other machines are never compared with ours: whether another holder is alive is judged by how long, on our own
clock, its record has not changed. On loss the gate shuts first, and then the process ends: there is no way back to
leading in the same process, so no half-done work of a former term can wake up in a later one.

The gate says no by the clock, too, not only when told: an event loop that was stalled past the deadline finds it shut.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

from tidegate.errors import AlreadyExists, Conflict, NotFound, TidegateError, Transient
from tidegate.kube.client import Client
from tidegate.kube.resources import LEASES, Object

_DRIFT: Final = 0.05  # two clocks may disagree by this much of a Lease's duration about how long it is
_NO_ANSWER: Final = "no answer in time"

logger = logging.getLogger(__name__)


class LeaseLost(Transient):
    """Another replica leads, or may. This process must end."""


def since_boot() -> float:
    """Seconds that pass also while the machine sleeps, where the system can tell."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class Gate:
    """Whether this replica leads now. Only the Elector opens and shuts it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._opened = asyncio.Event()
        self.open_until = float("-inf")
        """The instant of the clock at which it shuts by itself."""
        self._ours_until = float("-inf")
        self._shut = False
        self.epoch = 0
        """Counts the holders that there have been. Ours, once the gate was open."""
        self.holder = ""
        """Who leads, as last seen; "" if nobody does."""

    @property
    def is_open(self) -> bool:
        """Whether this replica leads, by what it knows and by the time that has passed since."""
        return not self._shut and self._clock() < self.open_until

    def safe_for(self, seconds: float) -> bool:
        """Whether nobody else can lead before so many seconds have passed: an effect that ends within them is ours."""
        return self.is_open and self._clock() + seconds <= self._ours_until

    async def opened(self) -> None:
        """Return when this replica leads for the first time."""
        await self._opened.wait()

    def open(self, epoch: int, until: float, ours_until: float) -> None:
        """We lead, from now until that instant of the clock; nobody else leads before `ours_until`."""
        self.epoch, self.open_until, self._ours_until = epoch, until, ours_until
        self._opened.set()

    def shut(self) -> None:
        """We lead no longer, and never again."""
        self._shut = True


@dataclass(frozen=True, slots=True)
class Term:
    """Durations in seconds: `lease` is how long others wait for a silent holder, `renew` is how long a holder that
    can't renew goes on, `retry` is how often all try."""

    lease: float = 15.0
    renew: float = 10.0
    retry: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.retry * 1.5 < self.renew < self.lease * (1 - _DRIFT):
            raise ValueError(
                f"lease durations of {self.lease:g}/{self.renew:g}/{self.retry:g} s can't work: "
                "the renewal deadline must be well above the retry period and below the lease, as in 15/10/2 s"
            )


class Elector:
    """One candidate for one Lease. `identity` must be another for each process, also of the same pod."""

    def __init__(
        self,
        client: Client,
        namespace: str,
        name: str,
        identity: str,
        *,
        term: Term | None = None,
        clock: Callable[[], float] = since_boot,
        wall: Callable[[], float] = time.time,
        dice: random.Random | None = None,
    ) -> None:
        self.identity = identity
        self.gate = Gate(clock)
        self._client = client
        self._namespace = namespace
        self._name = name
        self._term = term or Term()
        self._clock, self._wall = clock, wall
        self._dice = dice or random.Random()
        self._known: Object | None = None  # the Lease as last read or written
        self._changed = clock()  # when it was last seen to change

    async def run(self) -> NoReturn:
        """Try until we lead, and go on leading. Raises LeaseLost, and nothing else."""
        while not await self._attempted(self._acquire, self._clock() + self._term.renew):
            await self._pause()
        logger.info("leading as %s, epoch %d", self.identity, self.gate.epoch)
        while True:
            await self._pause()
            if await self._attempted(self._renew, self.gate.open_until):
                continue
            if not self.gate.is_open:
                self._lost(f"the Lease could not be renewed for {self._term.renew:g} s")

    async def release(self) -> None:
        """Leave the Lease to others at once. The gate shuts first; if we do not lead, nothing is written."""
        led = self.gate.is_open
        self.gate.shut()
        if not led or self._known is None:
            return
        left = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _instant()}
        try:
            async with asyncio.timeout(self._term.renew / 2):
                try:
                    await self._write({**self._known["spec"], **left})
                except Conflict:
                    # A renewal of ours, cut off by the end, has arrived all the same: or it is another's by now.
                    lease = await self._client.get(LEASES, self._namespace, self._name)
                    self._see(lease)
                    if self.gate.holder == self.identity:
                        await self._write({**lease["spec"], **left})
        except (TidegateError, TimeoutError) as error:
            logger.warning("the Lease was not released, others wait until it has run out: %s", str(error) or _NO_ANSWER)

    # ---- inside

    async def _attempted(self, attempt: Callable[[], Awaitable[bool]], deadline: float) -> bool:
        """One try, which takes half the renewal deadline at most, and never goes beyond the deadline itself."""
        patience = min(self._term.renew / 2, max(deadline - self._clock(), 0.0))
        try:
            async with asyncio.timeout(patience):
                return await attempt()
        except LeaseLost:
            raise
        except (TidegateError, TimeoutError) as error:
            logger.warning("the Lease %s/%s: %s", self._namespace, self._name, str(error) or _NO_ANSWER)
            return False

    async def _acquire(self) -> bool:
        began = self._clock()
        try:
            lease = await self._client.get(LEASES, self._namespace, self._name)
        except NotFound:
            return await self._create(began)
        self._see(lease)
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        patience = max(self._term.lease, float(spec.get("leaseDurationSeconds") or 0))
        if holder and holder != self.identity and self._clock() < self._changed + patience:
            return False
        transitions = int(spec.get("leaseTransitions") or 0) + (holder != self.identity)
        began = self._clock()
        try:
            await self._write(self._spec(transitions, _instant()))
        except Conflict:
            return False
        self._hold(transitions, began)
        return True

    async def _create(self, began: float) -> bool:
        metadata = {"name": self._name, "namespace": self._namespace}
        body = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": metadata}
        # A Lease that was deleted must not begin at 0 again: statuses carry the epoch they were written in, and no
        # older one overwrites them. Leaders change more slowly than minutes pass.
        epoch = max(self.gate.epoch, int(self._wall() // 60))
        try:
            lease = await self._client.create(LEASES, self._namespace, {**body, "spec": self._spec(epoch, _instant())})
        except AlreadyExists:
            return False
        self._see(lease)
        self._hold(epoch, began)
        return True

    async def _renew(self) -> bool:
        began = self._clock()
        known = self._known
        if known is None:
            return await self._create(began)
        try:
            await self._write({**known["spec"], "renewTime": _instant()})
        except NotFound:
            # Somebody deleted it. Whoever creates it first leads.
            self._known = None
            return False
        except Conflict:
            # Ours without an answer, an edit by someone, or another leader: look who.
            lease = await self._client.get(LEASES, self._namespace, self._name)
            self._see(lease)
            if (lease.get("spec") or {}).get("holderIdentity") != self.identity:
                self._lost(f"{self.gate.holder or 'nobody'} holds the Lease")
            began = self._clock()
            await self._write({**lease["spec"], "renewTime": _instant()})
        self._hold(self.gate.epoch, began)
        return True

    async def _write(self, spec: Object) -> None:
        if self._known is None:
            raise Conflict("The Lease was never read")
        lease = await self._client.replace(LEASES, self._namespace, self._name, {**self._known, "spec": spec})
        self._see(lease)

    def _spec(self, transitions: int, now: str) -> Object:
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._term.lease)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    def _see(self, lease: Object) -> None:
        if self._known is None or self._known.get("spec") != lease.get("spec"):
            self._changed = self._clock()
        self._known = lease
        self.gate.holder = (lease.get("spec") or {}).get("holderIdentity") or ""

    def _hold(self, epoch: int, began: float) -> None:
        """Others count from when they see our write, which is not before we began it."""
        self.gate.open(epoch, began + self._term.renew, began + self._term.lease * (1 - _DRIFT))

    def _lost(self, why: str) -> NoReturn:
        self.gate.shut()
        raise LeaseLost(f"This replica leads no longer: {why}. The process ends, so that it can start afresh")

    async def _pause(self) -> None:
        await asyncio.sleep(self._term.retry * self._dice.uniform(1.0, 1.2))


def _instant() -> str:
    """Now, for people who read the Lease; nobody decides by it. In MicroTime's form."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
