"""A pod template without what the API server fills in: so that one that was written and one that was read are alike.

Whoever moves from `template` to `templateFrom`, or back, writes down the same pods in another spelling. Left out is
what a Deployment's template is given where nothing was said (kubernetes/pkg/apis/core/v1/defaults.go), and nothing
else: a template that says a default aloud means the same as one that says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_POD: Final[Mapping[str, Any]] = {
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
    "schedulerName": "default-scheduler",
    "securityContext": {},
}
_CONTAINER: Final[Mapping[str, Any]] = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "resources": {},
}
_PROBE: Final[Mapping[str, Any]] = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
    "initialDelaySeconds": 0,
}
_HTTP: Final[Mapping[str, Any]] = {"scheme": "HTTP", "path": "/"}
_PORT: Final[Mapping[str, Any]] = {"protocol": "TCP"}
_FIELD: Final[Mapping[str, Any]] = {"apiVersion": "v1"}
_MODE: Final[Mapping[str, Any]] = {"defaultMode": 0o644}
_TOKEN: Final[Mapping[str, Any]] = {"expirationSeconds": 3600}
_HOST_PATH: Final[Mapping[str, Any]] = {"type": ""}

_CONTAINERS: Final = ("containers", "initContainers")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_WITH_MODE: Final = ("configMap", "secret", "downwardAPI", "projected")


def without_defaults(template: Mapping[str, Any]) -> dict[str, Any]:
    """`metadata` and `spec` of a pod template, as a copy of the caller's own. What is no pod template, and will be
    refused by the API server, stays as it is."""
    try:
        return _reduced(template)
    except (AttributeError, KeyError, TypeError, ValueError):
        return dict(template)


def _reduced(template: Mapping[str, Any]) -> dict[str, Any]:
    copied = _without_nothing(template)
    spec = _without(copied.get("spec") or {}, _POD)
    if spec.get("serviceAccount") == spec.get("serviceAccountName"):
        spec.pop("serviceAccount", None)  # the old name of the same field
    for kind in _CONTAINERS:
        if kind in spec:
            spec[kind] = [_container(container) for container in spec[kind]]
    if "volumes" in spec:
        spec["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    metadata = {key: value for key, value in (copied.get("metadata") or {}).items() if value}
    return {"spec": spec} | ({"metadata": metadata} if metadata else {})


def _container(written: Mapping[str, Any]) -> dict[str, Any]:
    container = _without(written, _CONTAINER)
    if container.get("imagePullPolicy") == _pull_policy(str(container.get("image", ""))):
        del container["imagePullPolicy"]
    for kind in _PROBES:
        if kind in container:
            container[kind] = _handler(_without(container[kind], _PROBE))
    if "lifecycle" in container:
        container["lifecycle"] = {event: _handler(handler) for event, handler in container["lifecycle"].items()}
    if "ports" in container:
        container["ports"] = [_without(port, _PORT) for port in container["ports"]]
    if "env" in container:
        container["env"] = [_variable(variable) for variable in container["env"]]
    return container


def _pull_policy(image: str) -> str:
    """What an image without one is given: by its tag, where nothing else is said."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return "IfNotPresent"
    tag = last.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _handler(written: Mapping[str, Any]) -> dict[str, Any]:
    handler = dict(written)
    if "httpGet" in handler:
        handler["httpGet"] = _without(handler["httpGet"], _HTTP)
    return handler


def _variable(written: Mapping[str, Any]) -> dict[str, Any]:
    variable = {key: value for key, value in written.items() if not (key == "value" and value == "")}
    source = variable.get("valueFrom")
    if isinstance(source, Mapping) and "fieldRef" in source:
        variable["valueFrom"] = {**source, "fieldRef": _without(source["fieldRef"], _FIELD)}
    return variable


def _volume(written: Mapping[str, Any]) -> dict[str, Any]:
    volume = dict(written)
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for kind in _WITH_MODE:
        if kind in volume:
            volume[kind] = _without(volume[kind], _MODE)
    if "hostPath" in volume:
        volume["hostPath"] = _without(volume["hostPath"], _HOST_PATH)
    if "projected" in volume:
        sources = [_projection(source) for source in volume["projected"].get("sources") or ()]
        volume["projected"] = {**volume["projected"], "sources": sources}
    if "downwardAPI" in volume:
        volume["downwardAPI"] = _downward(volume["downwardAPI"])
    return volume


def _projection(written: Mapping[str, Any]) -> dict[str, Any]:
    source = dict(written)
    if "serviceAccountToken" in source:
        source["serviceAccountToken"] = _without(source["serviceAccountToken"], _TOKEN)
    if "downwardAPI" in source:
        source["downwardAPI"] = _downward(source["downwardAPI"])
    return source


def _downward(written: Mapping[str, Any]) -> dict[str, Any]:
    items = [
        {**item, "fieldRef": _without(item["fieldRef"], _FIELD)} if "fieldRef" in item else item
        for item in written.get("items") or ()
    ]
    return {**written, "items": items}


def _without(written: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in written.items() if key not in defaults or value != defaults[key]}


def _without_nothing(value: Any) -> Any:
    """Without nulls and empty lists, at every depth: to the API server they are as if they were not there."""
    if isinstance(value, Mapping):
        return {key: _without_nothing(one) for key, one in value.items() if one is not None and one != []}
    if isinstance(value, list | tuple):
        return [_without_nothing(one) for one in value]
    return value
