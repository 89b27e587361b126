"""Istio: the definition of its VirtualService, kept for the tests that install it. No Istio runs here."""

import re
from pathlib import Path

from hack.cluster import modules
from hack.cluster.layout import ClusterError, Layout
from hack.cluster.progress import Progress

ISTIO_API = "1.28.0"
NAME = "virtualservices.networking.istio.io"
_FILE = "virtualservices.yaml"


def fetch(layout: Layout, go: str, progress: Progress) -> None:
    """Once, as the Go module that ships it."""
    modules.kept(_folder(layout), go, progress, f"Istio's API {ISTIO_API}", f"istio.io/api@v{ISTIO_API}", _take)


def definition(layout: Layout) -> Path:
    """File with the CustomResourceDefinition, after `fetch`."""
    return _folder(layout) / _FILE


def _folder(layout: Layout) -> Path:
    return layout.cache / f"istio-api-{ISTIO_API}"


def _take(module: Path, folder: Path) -> None:
    whole = (module / "kubernetes" / "customresourcedefinitions.gen.yaml").read_text()
    for document in re.split(r"^---$", whole, flags=re.MULTILINE):
        if re.search(rf"^  name: {re.escape(NAME)}$", document, re.MULTILINE):
            folder.mkdir()
            (folder / _FILE).write_text(document)
            return
    raise ClusterError(f"Istio's API {ISTIO_API} has no definition called {NAME}")
