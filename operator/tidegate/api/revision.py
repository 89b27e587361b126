"""The revision: a hash of what runs, so that "the same" never has to be guessed.

What runs of a component is its pod template with the images filled in, the content of the ConfigMaps and Secrets that
the template names, its port, its Service and its route. How many pods there are, how they are probed and drained, and
by which ladder they climb, is not: a Release that scales from six pods to twelve need not climb again, and its guards
could not tell the two apart. All hashes are SHA-256 of canonical JSON, 64 hexadecimal digits, compared whole.

Everything here takes templates that are in force: whoever hashes a Release resolves first what it names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tidegate.api.defaults import without_defaults
from tidegate.api.grammar import expand
from tidegate.api.release import Component, Release
from tidegate.errors import Invalid

_CONTAINERS: Final = ("containers", "initContainers")
_RELEASE: Final = "$(release)"


class Named(NamedTuple):
    """A ConfigMap or Secret that a pod template names, with the content that it has."""

    kind: str  # ConfigMap or Secret
    name: str
    content: str  # its hash, 64 hexadecimal digits


NOTHING: Final[Mapping[str, tuple[Named, ...]]] = MappingProxyType({})


def revision(release: Release, named: Mapping[str, tuple[Named, ...]] = NOTHING) -> str:
    """Hash of all that the spec asks to run: the version, and what runs of each component, in whatever order they
    stand. `named` is what the template of each component names.

    Raises Invalid where an image names something that can't be filled in.
    """
    spec = release.spec
    components = {
        component.name: _running(component, spec.version, named.get(component.name, ()))
        for component in spec.components
    }
    return _hash({"version": spec.version, "components": components})


def artifact(component: Component, version: str, named: tuple[Named, ...] = ()) -> str:
    """Hash of what runs of one component at a version. Equal ones take no part in a climb. Raises Invalid."""
    return _hash(_running(component, version, named))


def filled_template(component: Component, version: str, release: str) -> dict[str, Any]:
    """The pod template (`metadata` and `spec`) with the placeholders of its images filled in, as a copy of the caller's
    own.

    Only images are touched: elsewhere `$(NAME)` is the kubelet's. Raises Invalid, also where the template is in a
    Deployment that could not be read.
    """
    source = component.kubernetes.template
    if source is None:
        path = f"spec.components[{component.name}].kubernetes.templateFrom"
        raise Invalid("the pod template could not be read from the Deployment that is named", path=path)
    template = json.loads(json.dumps(source.document()))
    for place, container in _containers(template["spec"]):
        path = f"spec.components[{component.name}].kubernetes.template.spec.{place}.image"
        container["image"] = fill_image(str(container.get("image", "")), version, release, component.name, path)
    return dict(template)


def fill_image(image: str, version: str, release: str, component: str, path: str) -> str:
    """One image with `$(version)`, `$(release)` and `$(component)` filled in. Raises Invalid with the path."""
    try:
        return expand(image, {"version": version, "release": release, "component": component})
    except ValueError as error:
        raise Invalid(f"{image!r} can't be filled in: {error}", path=path) from None


def _running(component: Component, version: str, named: tuple[Named, ...]) -> Mapping[str, Any]:
    kubernetes = component.kubernetes
    running = {
        "name": component.name,
        "template": _pods(component, version),
        "port": kubernetes.port,
        "service": kubernetes.service,
        "traffic": kubernetes.traffic.document(),
    }
    return {**running, "named": sorted(named)} if named else running


def _pods(component: Component, version: str) -> Mapping[str, Any]:
    """The pods without what the API server fills in; while they can't be read, where they are written."""
    kubernetes = component.kubernetes
    if kubernetes.template is None and kubernetes.template_from is not None:
        images = [image.document() for image in kubernetes.images]
        return {"from": kubernetes.template_from.document(), "images": images}
    return without_defaults(filled_template(component, version, _RELEASE))


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in _CONTAINERS:
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"{kind}[{index}]", container


def _hash(value: Mapping[str, Any]) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
