"""What a revision is kept by: its ControllerRevision, and the copies of the configuration that it runs with.

Both are made before anything of the revision runs. The last ten revisions stay, and each copy as long as one of them,
or a Deployment that is there, needs it.
"""

from __future__ import annotations

from tidegate.api.configuration import Mention
from tidegate.api.meta import LABEL_RELEASE, short
from tidegate.api.revision import Named
from tidegate.errors import AlreadyExists, Permanent, TidegateError, Transient
from tidegate.kube import CONTROLLERREVISIONS, Cluster
from tidegate.targets.kubernetes import adopting, copies, revisions
from tidegate.targets.kubernetes.names import content_of, is_leaving, labels_of, revision_name
from tidegate.targets.kubernetes.neighbours import Neighbours
from tidegate.targets.kubernetes.sources import Sources
from tidegate.targets.kubernetes.view import Place, View
from tidegate.targets.port import App


class Keeper:
    def __init__(self, cluster: Cluster, sources: Sources, neighbours: Neighbours) -> None:
        self._cluster, self._sources, self._neighbours = cluster, sources, neighbours

    async def keep_revision(self, view: View, content: str) -> None:
        """Keep what the spec asks for now, or what is taken over, if this is about it. Older ones are kept already, or
        lost."""
        app = self._asking_for(view, content)
        if app is None or app.revision in view.revisions:
            return
        number = max((revision.number for revision in view.revisions.values()), default=0) + 1
        try:
            await self._cluster.create(CONTROLLERREVISIONS, app.namespace, revisions.body(app, number))
        except AlreadyExists:
            name = revision_name(app.name, app.revision)
            there = await self._cluster.fresh(CONTROLLERREVISIONS, app.namespace, name)
            if there is not None and content_of(there) != app.revision:
                raise Permanent(
                    f"ControllerRevision {name} is not of this revision. Delete it, if nobody else needs it."
                ) from None

    def _asking_for(self, view: View, content: str) -> App | None:
        candidate = view.app.status.candidate
        if view.app.revision in (content, candidate.content if candidate else ""):
            return view.app
        offered = adopting.offer(view, self._neighbours).adopt
        return offered if offered is not None and offered.revision == content else None

    async def keep_copies(self, view: View, place: Place) -> None:
        """Let all that this part of this revision reads be there. Raises Permanent where it is lost, or replaced."""
        release = view.app.release.metadata
        for named in view.named_at(place):
            copy = view.copies.get(named)
            whole = await self._sources.is_whole(release, copy) if copy is not None else None
            if whole is False:
                raise Permanent(_replaced(view.app.name, named))
            if whole is None and named.content != copies.ABSENT:
                await self._make(view, place, named)

    async def prune(self, view: View) -> None:
        """Beyond the last ten. It may fail: it is done again at the next start."""
        namespace, kept = view.app.namespace, dict(view.revisions)
        try:
            for old in revisions.superfluous(view.revisions, view.needed | {view.app.revision}):
                await self._cluster.delete(CONTROLLERREVISIONS, namespace, revision_name(view.app.name, old.content))
                del kept[old.content]
            named = [each for revision in kept.values() for part in revision.named.values() for each in part]
            named += [each for part in view.app.resolved.named.values() for each in part]
            await self.remove_copies(view, named)
        except TidegateError:
            return

    async def remove_copies(self, view: View, but: list[Named]) -> None:
        """All but these, and but what a Deployment that is there names."""
        needed = copies.needed_names(view.app.name, but, view.deployments.values())
        for copy in copies.superfluous(view.app.name, view.copies, needed):
            await self._cluster.delete(
                copies.resource_of(copy.named.kind),
                view.app.namespace,
                copies.copy_name(view.app.name, copy.named),
                uid=copy.uid,
                resource_version=copy.version,
            )

    async def _make(self, view: View, place: Place, named: Named) -> None:
        app, name = view.app, copies.copy_name(view.app.name, named)
        source = await self._sources.read(app.namespace, named)
        resource = copies.resource_of(named.kind)
        if source is None:
            if place.content == app.revision:
                raise Transient(f"{named.kind} {named.name} was changed a moment ago. It is looked at again.")
            raise Permanent(lost(place, app.name, named))
        try:
            body = await self._sources.copied(app.release.metadata, named, source)
            await self._cluster.create(resource, app.namespace, body)
        except AlreadyExists:
            there = await self._cluster.client.get(resource, app.namespace, name)
            self._cluster.store.put(resource, there)
            if is_leaving(there):
                raise Transient(f"{named.kind} {name} is being deleted. It is made again when it is gone.") from None
            copy = copies.read(named.kind, there)
            if copy is None or copy.named != named or labels_of(there).get(LABEL_RELEASE) != app.name:
                raise Permanent(
                    f"{named.kind} {name} is there already and is no copy of ours. Rename or delete it."
                ) from None
            source_name = Mention(named.kind, named.name)
            if await self._sources.digest(app.namespace, source_name, there) != named.content:
                raise Permanent(_replaced(app.name, named)) from None


def _replaced(release: str, named: Named) -> str:
    name = copies.copy_name(release, named)
    return (
        f"{named.kind} {name} is there, but what is in it is no copy of {named.kind} {named.name} as this revision "
        "runs with it: somebody has put it there. Delete it, and it is made again."
    )


def lost(place: Place, release: str, named: Named) -> str:
    """The sentence for a copy that is gone, and can't be made again."""
    return (
        f"{named.kind} {copies.copy_name(release, named)} is gone, which revision {short(place.content)} of "
        f"{place.part} runs with, and {named.kind} {named.name} has other content by now: no new pod of it starts. "
        "Ask for a version in the spec, or give the source its old content back."
    )
