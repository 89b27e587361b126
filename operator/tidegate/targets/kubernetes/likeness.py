"""Whether a spec that can't be resolved may ask for a revision that is kept.

A ConfigMap that is gone, a Secret that can't be read just now, a Deployment that lost its label: what is in them nobody
can say, but all else that the spec says is known. Filled up with what a kept revision has in those places, the spec
either hashes to that revision, and may mean it; or it surely asks for something else.
"""

from __future__ import annotations

from tidegate.api.release import Component, Release
from tidegate.api.revision import Named, revision
from tidegate.errors import Invalid, NotPermitted
from tidegate.targets.kubernetes.copies import MISSING
from tidegate.targets.kubernetes.revisions import Revision
from tidegate.targets.kubernetes.templates import with_components, with_images, with_template
from tidegate.targets.port import Resolved


def may_mean(resolved: Resolved, kept: Revision) -> bool:
    """`resolved` has problems, and what could not be resolved in it is without a template, or has content `MISSING`."""
    release = resolved.release
    try:
        components = [_filled(release, component, kept) for component in release.spec.components]
        named = {component.name: _named(resolved, component, kept) for component in release.spec.components}
        full = {name: each for name, each in named.items() if each}
        return revision(with_components(release, components), full) == kept.content
    except (Invalid, NotPermitted):
        return False


def _filled(release: Release, component: Component, kept: Revision) -> Component:
    there = kept.components.get(component.name)
    if component.kubernetes.template is not None or there is None or there.kubernetes.template is None:
        return component
    return with_template(component, with_images(there.kubernetes.template, release, component))


def _named(resolved: Resolved, component: Component, kept: Revision) -> tuple[Named, ...]:
    found, then = resolved.named.get(component.name, ()), kept.named.get(component.name, ())
    if component.kubernetes.template is None:
        return then
    content = {(each.kind, each.name): each.content for each in then}
    return tuple(
        each._replace(content=content.get((each.kind, each.name), MISSING)) if each.content == MISSING else each
        for each in found
    )
