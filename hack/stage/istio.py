"""Istio's VirtualService on the API server of KUBECONFIG: the kind alone, with nothing that obeys it."""

import yaml

from hack.cluster import istio
from hack.cluster.layout import current_layout
from hack.stage.api import Api, eventually


def install(api: Api) -> None:
    """Let the kind be served."""
    path = istio.definition(current_layout())
    assert path.exists(), f"{path} is not there: run make cluster"
    api.apply(yaml.safe_load(path.read_text()))
    eventually(lambda: _served(api), 30, "VirtualServices are served")


def remove(api: Api) -> None:
    """Let it be served no more; with it go all its objects."""
    api.delete("CustomResourceDefinition", "", istio.NAME)
    eventually(lambda: api.get("CustomResourceDefinition", "", istio.NAME) is None, 60, "VirtualServices are gone")


def _served(api: Api) -> bool:
    found = api.get("CustomResourceDefinition", "", istio.NAME) or {}
    conditions = (found.get("status") or {}).get("conditions") or []  # null for a moment
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
