"""The writes that are about our own objects: the finalizer, answers to Interventions, and letting go."""

from tidegate.api.grammar import format_time
from tidegate.api.meta import FINALIZER
from tidegate.engine.values import Answer, Forget
from tidegate.errors import NotFound
from tidegate.kube.cluster import Cluster
from tidegate.kube.resources import INTERVENTIONS, RELEASES, Object
from tidegate.targets.port import App, Target


class Settler:
    def __init__(self, cluster: Cluster, target: Target) -> None:
        self._cluster, self._target = cluster, target

    async def hold(self, document: Object) -> Object:
        """Put our finalizer on: from here on a deletion waits until traffic is settled. Raises Conflict."""
        meta = document["metadata"]
        finalizers = [*meta.get("finalizers", ()), FINALIZER]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": finalizers}}
        return await self._cluster.merge(RELEASES, meta["namespace"], meta["name"], body)

    async def answer(self, app: App, answer: Answer, now: float) -> None:
        """Say in the Intervention's status what became of it. Raises Conflict where it was written meanwhile, or is
        another of its name by now: a version is of one object alone, and with a status the server compares no uid."""
        for document in self._cluster.within(INTERVENTIONS, app.namespace):
            if document["metadata"]["uid"] != answer.uid:
                continue
            status = {"outcome": answer.outcome, "message": answer.message, "at": format_time(now)}
            version = document["metadata"]["resourceVersion"]
            try:
                await self._cluster.merge(
                    INTERVENTIONS,
                    app.namespace,
                    document["metadata"]["name"],
                    {"metadata": {"resourceVersion": version}, "status": status},
                    subresource="status",
                )
            except NotFound:
                return

    async def forget(self, app: App, forget: Forget) -> None:
        """Traffic first, then what is ours, then the finalizer: only then is the object gone."""
        await self._target.forget(app, forget.settled)
        document = await self._cluster.fresh(RELEASES, app.namespace, app.name)
        if document is None or document["metadata"]["uid"] != app.uid:
            return
        meta = document["metadata"]
        finalizers = [name for name in meta.get("finalizers", ()) if name != FINALIZER]
        body = {"metadata": {"resourceVersion": meta["resourceVersion"], "finalizers": finalizers or None}}
        try:
            await self._cluster.merge(RELEASES, app.namespace, app.name, body)
        except NotFound:
            return
