"""The stage: control plane, stand-ins, the source, and the operator as a process with the rights it is shipped with."""

import asyncio
import contextlib
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hack.bench import audit, controlplane, fleet
from hack.bench.audit import Asked
from hack.bench.controlplane import ControlPlane
from hack.bench.gateway import Gateway
from hack.bench.meter import Usage, usage
from hack.bench.node import Node
from hack.bench.source import Source
from hack.bench.watching import follow
from hack.stage.api import Api
from hack.stage.operator import SYSTEM, Operator, install
from tidegate.kube import RELEASES, Client, Key, Object

USER = f"system:serviceaccount:{SYSTEM}:tidegate"
_LEASE = {"TIDEGATE_LEASE_DURATION": "60s", "TIDEGATE_LEASE_RENEW": "45s"}
"""Longer than as shipped, so that a busy machine does not end the operator; it is renewed as often, every 2 s."""
AUDIT_DELAY = 0.5
"""Seconds until the audit log surely has what was answered."""


class Late(Exception):
    """What a figure needs did not come about."""


@dataclass
class Stage:
    plane: ControlPlane
    client: Client
    source: Source
    node: Node
    gateway: Gateway
    api: Api
    operator: Operator | None = None
    releases: dict[Key, Object] = field(default_factory=dict)

    def start_operator(self, **settings: str) -> Operator:
        """`settings` as the environment has them: TIDEGATE_TICK="1s"."""
        folder = self.plane.layout.state / "operator"
        chosen = {"TIDEGATE_ADDRESS": "127.0.0.1", "TIDEGATE_LOG_LEVEL": "warning", **_LEASE, **settings}
        shutil.rmtree(folder, ignore_errors=True)  # the token and the address are of this control plane
        self.operator = Operator(self.api, folder, port=_free_port(), **chosen)
        self.operator.start()
        return self.operator

    async def stop_operator(self) -> None:
        if self.operator is not None:
            await asyncio.to_thread(self.operator.stop)
            self.operator = None

    def used(self) -> Usage:
        """What the operator has used so far. Raises Late if it has ended."""
        if self.operator is None or not self.operator.running():
            raise Late("the operator has ended; its log is in .cluster/bench/operator")
        return usage(self.operator.pid)

    async def asked(self, since: float, until: float = float("inf"), user: str = USER) -> Sequence[Asked]:
        """What the operator asked of the API server in that time."""
        await asyncio.sleep(AUDIT_DELAY)
        return await asyncio.to_thread(audit.read, self.plane.audit, user, since, until)

    # ---- waiting

    def phase(self, key: Key) -> str:
        status = self.releases.get(key, {}).get("status") or {}
        return str(status.get("phase", ""))

    def stands(self, key: Key, version: str) -> bool:
        """That version is stable, and nothing is under way."""
        status = self.releases.get(key, {}).get("status") or {}
        return self.phase(key) == "Completed" and (status.get("stable") or {}).get("version") == version

    def climbs(self, key: Key, version: str) -> bool:
        """That version has its weight, and a guard has passed it there."""
        status = self.releases.get(key, {}).get("status") or {}
        shifted = (status.get("step") or {}).get("shiftedAt")
        passed = all(guard.get("verdict") == "Pass" for guard in status.get("guards") or [{}])
        candidate = (status.get("candidate") or {}).get("version")
        return self.phase(key) == "Progressing" and candidate == version and bool(shifted) and passed

    async def until(self, holds: Callable[[Key], bool], keys: Iterable[Key], seconds: float, what: str) -> None:
        """Until it holds of all of them. Raises Late."""
        deadline = time.monotonic() + seconds
        left = set(keys)
        while left:
            left = {key for key in left if not holds(key)}
            if left and time.monotonic() > deadline:
                some = ", ".join(f"{key}: {self.phase(key)}" for key in sorted(left)[:3])
                raise Late(f"not within {seconds:.0f} s: {what} ({len(left)} are late: {some})")
            if self.operator is not None and not self.operator.running():
                raise Late("the operator has ended; its log is in .cluster/bench/operator")
            await asyncio.sleep(0.1)

    def took(self, event: str, release: Object) -> None:
        key = Key(release["metadata"]["namespace"], release["metadata"]["name"])
        if event == "DELETED":
            self.releases.pop(key, None)
        else:
            self.releases[key] = {"metadata": release["metadata"], "status": release.get("status")}


@contextlib.asynccontextmanager
async def stage(audited: Sequence[str] = (USER,)) -> AsyncIterator[Stage]:
    """Everything but the operator, which a scenario starts when it wants it. `audited` are users."""
    with controlplane.running(audited) as plane:
        await asyncio.to_thread(install)
        api = Api()
        source = Source()
        await source.start()
        async with Client.from_environment() as client:
            there = Stage(plane, client, source, Node(client), Gateway(client), api)
            tasks = [
                asyncio.create_task(there.node.run()),
                asyncio.create_task(there.gateway.run()),
                asyncio.create_task(follow(client, RELEASES, there.took)),
            ]
            try:
                yield there
            finally:
                await there.stop_operator()
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await source.stop()
                api.close()


async def populate(stage: Stage, count: int, version: str = "v1", seconds: float = 600.0) -> Sequence[Key]:
    """So many Releases that the operator itself has brought to rest."""
    keys = fleet.keys(count)
    await fleet.open_namespaces(stage.client, count, stage.source.url)
    await fleet.each(keys, lambda key: fleet.declare(stage.client, key, version, fleet.STAY))
    await stage.until(lambda key: stage.stands(key, version), keys, seconds, f"{count} Releases at rest")
    return keys


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
