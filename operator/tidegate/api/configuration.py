"""What the containers of a pod template read beside their images: the ConfigMaps and Secrets that it names.

They are named in volumes, `projected` ones too, in `envFrom`, and in `env` with `valueFrom`. Secrets of the machinery
(`imagePullSecrets`, those of volume drivers) are not configuration: they are no part of what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple

CONFIG_MAP: Final = "ConfigMap"
SECRET: Final = "Secret"

_CONTAINERS: Final = ("initContainers", "containers")
_SOURCES: Final = ((CONFIG_MAP, "configMap", "name"), (SECRET, "secret", "name"))
_VOLUMES: Final = ((CONFIG_MAP, "configMap", "name"), (SECRET, "secret", "secretName"))
_WHOLE: Final = ((CONFIG_MAP, "configMapRef", "name"), (SECRET, "secretRef", "name"))
_KEYS: Final = ((CONFIG_MAP, "configMapKeyRef", "name"), (SECRET, "secretKeyRef", "name"))


class Mention(NamedTuple):
    """A ConfigMap or Secret of the namespace, as a template names it."""

    kind: str
    name: str


class _Place(NamedTuple):
    mention: Mention
    optional: bool
    holder: dict[str, Any]
    field: str


def mentions(spec: Mapping[str, Any]) -> Mapping[Mention, bool]:
    """All that a PodSpec names, each with whether pods start without it."""
    found: dict[Mention, bool] = {}
    for place in _places(spec):
        found[place.mention] = place.optional and found.get(place.mention, True)
    return found


def rename(spec: dict[str, Any], renamed: Callable[[Mention], str | None]) -> None:
    """Let a PodSpec name what `renamed` gives instead, in place; None leaves a name as it is."""
    for place in list(_places(spec)):
        if (name := renamed(place.mention)) is not None:
            place.holder[place.field] = name


def _places(spec: Mapping[str, Any]) -> Iterator[_Place]:
    for volume in _each(spec.get("volumes")):
        yield from _named(volume, _VOLUMES)
        for source in _each(_part(volume, "projected").get("sources")):
            yield from _named(source, _SOURCES)
    for kind in _CONTAINERS:
        for container in _each(spec.get(kind)):
            for source in _each(container.get("envFrom")):
                yield from _named(source, _WHOLE)
            for variable in _each(container.get("env")):
                yield from _named(_part(variable, "valueFrom"), _KEYS)


def _named(holder: Mapping[str, Any], members: tuple[tuple[str, str, str], ...]) -> Iterator[_Place]:
    for kind, member, field in members:
        reference = _part(holder, member)
        name = reference.get(field)
        if isinstance(name, str) and name:
            yield _Place(Mention(kind, name), reference.get("optional") is True, reference, field)


def _each(value: object) -> Iterator[dict[str, Any]]:
    """What is no list of objects is the API server's to refuse, when it sees the Deployment."""
    if isinstance(value, list | tuple):
        yield from (item for item in value if isinstance(item, dict))


def _part(holder: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = holder.get(name)
    return part if isinstance(part, dict) else {}
