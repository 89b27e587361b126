"""The stand-in for everything that runs pods: for a Deployment it makes pods that are ready at once.

Only as much as the operator looks at: a pod's labels, its Ready condition and its address; a Deployment's observed
generation and its conditions. There is no ReplicaSet, no scheduler and no container.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from hack.bench.watching import follow
from tidegate.errors import AlreadyExists, NotFound
from tidegate.kube import DEPLOYMENTS, PODS, Client, Key, Object, key_of

AT_ONCE = 16


class Node:
    """`run` it beside what is measured."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pods: dict[Key, int] = {}
        self._seen: dict[Key, int] = {}
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        await follow(self._client, DEPLOYMENTS, self._took, labels="tidegate.dev/release")

    def adopt(self, deployment: Key, pods: int, generation: int) -> None:
        """So many pods of it were made by somebody else, and it is ready as of that generation."""
        self._pods[deployment], self._seen[deployment] = pods, generation

    def _took(self, event: str, deployment: Object) -> None:
        key = key_of(deployment)
        if event == "DELETED":
            self._begin(self._clear(key))
        elif deployment["metadata"]["generation"] > self._seen.get(key, 0):
            self._seen[key] = deployment["metadata"]["generation"]
            self._begin(self._fill(key, deployment))

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fill(self, key: Key, deployment: Object) -> None:
        async with self._room:
            wanted = int(deployment["spec"]["replicas"])
            there = self._pods.get(key, 0)
            self._pods[key] = wanted
            for number in range(there, wanted):
                await self._make(key, deployment, number)
            for number in range(wanted, there):
                await self._remove(key, number)
            status = deployment_status(deployment["metadata"]["generation"], wanted)
            try:
                await self._client.merge(DEPLOYMENTS, *key, {"status": status}, subresource="status")
            except NotFound:
                return

    async def _make(self, key: Key, deployment: Object, number: int) -> None:
        template = deployment["spec"]["template"]
        name = f"{key.name}-{number}"
        labels = template["metadata"]["labels"]
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": key.namespace, "labels": labels},
            "spec": template["spec"],
        }
        try:
            await self._client.create(PODS, key.namespace, body)
        except AlreadyExists:
            return
        await self._client.merge(PODS, key.namespace, name, {"status": pod_status()}, subresource="status")

    async def _clear(self, key: Key) -> None:
        self._seen.pop(key, None)
        async with self._room:
            for number in range(self._pods.pop(key, 0)):
                await self._remove(key, number)

    async def _remove(self, key: Key, number: int) -> None:
        try:
            await self._client.delete(PODS, key.namespace, f"{key.name}-{number}")
        except NotFound:
            return


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def pod_status() -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": _now()}
    return {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}], "conditions": [ready]}


def deployment_status(generation: int, pods: int) -> dict[str, Any]:
    shared = {"status": "True", "lastTransitionTime": _now(), "lastUpdateTime": _now(), "message": ""}
    return {
        "observedGeneration": generation,
        "replicas": pods,
        "readyReplicas": pods,
        "availableReplicas": pods,
        "updatedReplicas": pods,
        "conditions": [
            {"type": "Available", "reason": "MinimumReplicasAvailable", **shared},
            {"type": "Progressing", "reason": "NewReplicaSetAvailable", **shared},
        ],
    }
