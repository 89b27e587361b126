"""The pod template of somebody's Deployment, as a component's own. Pure.

Images beside it may have another tag or digest, never another repository: whoever may change a version may not bring
other code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from tidegate.api.conditions import Reason
from tidegate.api.grammar import IMAGE_PLACEHOLDERS, expand
from tidegate.api.meta import LABEL_RELEASE
from tidegate.api.permission import refusal
from tidegate.api.pods import PodTemplate
from tidegate.api.release import Component, Release
from tidegate.errors import Invalid, NotPermitted
from tidegate.kube import DEPLOYMENTS, Cluster, Object
from tidegate.targets.kubernetes.names import content_of, is_leaving, labels_of, section
from tidegate.targets.port import Problem

DEPLOYMENT_UNUSABLE: Final = "DeploymentUnusable"
LABEL_HASH: Final = "pod-template-hash"
UNNAMED: Final = "adopted"
"""What a version is called whose images tell no name."""

_SOURCES: Final = frozenset({"templateFrom", "images"})
_CONTAINERS: Final = ("containers", "initContainers")
_TAG: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_DIGITS: Final = 12  # of a digest, where that is all that names an image


def in_force(cluster: Cluster, release: Release) -> tuple[Release, tuple[Problem, ...]]:
    """The Release with each template that stands in a Deployment in its place, and why where that can't be had."""
    components, problems = [], []
    for component in release.spec.components:
        if component.kubernetes.template_from is not None:
            try:
                component = with_template(component, template_of(cluster, release, component))
            except NotPermitted as error:
                problems.append(Problem(component.name, "", Reason.NOT_PERMITTED, error.message, lasting=True))
            except Invalid as error:
                problems.append(Problem(component.name, "", DEPLOYMENT_UNUSABLE, error.message, lasting=True))
        components.append(component)
    return with_components(release, components), tuple(problems)


def with_template(component: Component, template: PodTemplate) -> Component:
    """The component with a template in its place; where it came from is still said beside it."""
    kubernetes = component.kubernetes.model_copy(update={"template": template})
    return component.model_copy(update={"kubernetes": kubernetes})


def as_written(component: Component) -> dict[str, Any]:
    """The component's document as if its template had always stood in it: so it is kept."""
    document = component.document()
    kubernetes = document["kubernetes"]
    return {**document, "kubernetes": {key: kubernetes[key] for key in kubernetes if key not in _SOURCES}}


def with_components(release: Release, components: Sequence[Component]) -> Release:
    """The same Release with other components."""
    spec = release.spec.model_copy(update={"components": tuple(components)})
    return release.model_copy(update={"spec": spec})


def deployment_of(cluster: Cluster, release: Release, component: Component) -> Object:
    """The Deployment that a component's template is in. Raises NotPermitted or Invalid where it may not be used."""
    source = component.kubernetes.template_from
    assert source is not None
    meta, name = release.metadata, source.deployment
    path = f"spec.components[{component.name}].kubernetes.templateFrom"
    found = cluster.get(DEPLOYMENTS, meta.namespace, name)
    if found is None or is_leaving(found):
        command = f"kubectl label --namespace {meta.namespace} deployment {name} {LABEL_RELEASE}={meta.name}"
        raise NotPermitted(
            f"Deployment {name} is not there, or does not carry the label that lets Release {meta.name} take it over. "
            f"Create it, or allow it: {command}"
        )
    if refused := refusal("Deployment", meta.namespace, name, labels_of(found), meta.name):
        raise NotPermitted(refused)
    if content_of(found) is not None:
        raise Invalid(f"Deployment {name} was made by Tidegate for a revision. Name one of your own.", path=path)
    others = [
        other.name
        for other in release.spec.components
        if other.name != component.name and other.kubernetes.template_from == source
    ]
    if others:
        raise Invalid(
            f"Components {component.name} and {others[0]} name the same Deployment, {name}. Give each one of its own.",
            path=path,
        )
    return found


def template_of(cluster: Cluster, release: Release, component: Component) -> PodTemplate:
    """The pods that a component with `templateFrom` asks for. Raises NotPermitted, or Invalid."""
    return with_images(
        read(section(deployment_of(cluster, release, component), "spec")["template"]), release, component
    )


def read(template: Mapping[str, Any]) -> PodTemplate:
    """A pod template of a Deployment or of a ReplicaSet, as the API has it, as one of ours. Raises Invalid."""
    metadata: Mapping[str, Any] = template.get("metadata") or {}
    labels = {name: value for name, value in (metadata.get("labels") or {}).items() if name != LABEL_HASH}
    annotations = dict(metadata.get("annotations") or {})
    said = {key: value for key, value in (("labels", labels), ("annotations", annotations)) if value}
    try:
        return PodTemplate.model_validate({"spec": template["spec"]} | ({"metadata": said} if said else {}))
    except KeyError as error:
        raise Invalid(f"the Deployment's pod template can't be read: it has no {error.args[0]}") from None
    except ValidationError as error:
        # Not its input: that may be an environment.
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "template"
        raise Invalid(f"the Deployment's pod template can't be read: {where}: {first['msg']}") from None


def with_images(template: PodTemplate, release: Release, component: Component) -> PodTemplate:
    """The template with the component's images in place of its own, their placeholders unfilled. Raises NotPermitted,
    or Invalid."""
    wanted = {image.container: image.image for image in component.kubernetes.images}
    if not wanted:
        return template
    spec = dict(template.spec)
    for kind in _CONTAINERS:
        if spec.get(kind):
            spec[kind] = [_with_image(one, wanted.pop(one["name"], None), release, component) for one in spec[kind]]
    if wanted:
        path = f"spec.components[{component.name}].kubernetes.images"
        raise Invalid(f"no container of the Deployment is called {min(wanted)}: write the name of one", path=path)
    return template.model_copy(update={"spec": spec})


def _with_image(container: Mapping[str, Any], image: str | None, release: Release, component: Component) -> Any:
    if image is None:
        return container
    words = {"version": release.spec.version, "release": release.metadata.name, "component": component.name}
    assert set(words) == IMAGE_PLACEHOLDERS
    there, wanted = repository(str(container["image"])), repository(expand(image, words))
    if there != wanted:
        raise NotPermitted(
            f"Component {component.name}: beside templateFrom an image may have another tag or digest, never another "
            f"repository, and {wanted} is not {there}. Write {there} with the tag, or change the Deployment."
        )
    return {**container, "image": image}


def repository(image: str) -> str:
    """An image without its tag and digest."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def version_of(template: PodTemplate, component: Component) -> str:
    """What to call what a template runs: the tag of the image that the component says, or of its first container; of
    one without a tag the first digits of its digest."""
    named = [image.container for image in component.kubernetes.images]
    images = {one["name"]: str(one["image"]) for kind in _CONTAINERS for one in template.spec.get(kind) or ()}
    image = next((images[name] for name in named if name in images), str(template.spec["containers"][0]["image"]))
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    if _TAG.fullmatch(tag):
        return tag
    return digest.rpartition(":")[2][:_DIGITS] or UNNAMED


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector of an object as a query."""
    words = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for asked in selector.get("matchExpressions") or ():
        key, operator, values = asked["key"], asked["operator"], ",".join(asked.get("values") or ())
        words.append(
            {
                "In": f"{key} in ({values})",
                "NotIn": f"{key} notin ({values})",
                "Exists": f"{key}",
                "DoesNotExist": f"!{key}",
            }[operator]
        )
    return ",".join(words)
