"""Tells Prometheus which pods to scrape. Debian builds Prometheus without its Kubernetes discovery.

Follows the pods with a watch and writes a file that Prometheus is told of by inotify (`file_sd_configs`).
"""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster.api import Api

# Pod label: label of every series scraped from the pod.
COPIED_LABELS = {
    "app.kubernetes.io/version": "version",
    "tidegate.dev/revision": "revision",
    "tidegate.dev/release": "release",
    "tidegate.dev/component": "component",
}
RELEASE_LABEL = "tidegate.dev/release"
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Target:
    """One address (host:port) to scrape, and the labels its series get."""

    address: str
    labels: tuple[tuple[str, str], ...]

    def as_group(self) -> dict[str, object]:
        return {"targets": [self.address], "labels": dict(self.labels)}


def targets_of(pod: dict[str, Any]) -> list[Target]:
    """What to scrape of a pod: nothing, unless it is of a Release or annotated prometheus.io/scrape: "true".

    The port is that of the annotation prometheus.io/port, else each that a container declares as TCP; the path that of
    prometheus.io/path. A Release's pod is left out with prometheus.io/scrape: "false".
    """
    metadata, status = pod["metadata"], pod.get("status", {})
    labels, annotations = metadata.get("labels", {}), metadata.get("annotations", {})
    wanted = annotations.get("prometheus.io/scrape", "true" if RELEASE_LABEL in labels else "false") == "true"
    address = status.get("podIP")
    if not wanted or not address or status.get("phase") in ("Succeeded", "Failed"):
        return []
    found = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    found |= {ours: labels[theirs] for theirs, ours in COPIED_LABELS.items() if theirs in labels}
    if "prometheus.io/path" in annotations:
        found["__metrics_path__"] = annotations["prometheus.io/path"]
    ports = {
        port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports", [])
        if port.get("protocol", "TCP") == "TCP"
    }
    if "prometheus.io/port" in annotations:
        ports = {annotations["prometheus.io/port"]}
    return [Target(f"{address}:{port}", tuple(sorted(found.items()))) for port in sorted(ports)]


class Discovery:
    """Keeps `file` equal to the targets of the cluster's pods, for ever."""

    def __init__(self, client: Api, file: Path) -> None:
        self._client = client
        self._file = file
        self._pods: dict[str, list[Target]] = {}
        self._written = ""

    def run(self) -> None:
        while True:
            listed = self._client.get("/api/v1/pods")
            if listed.ok:
                content = listed.json()
                self._pods = {pod["metadata"]["uid"]: targets_of(pod) for pod in content["items"]}
                self._write()
                for event in self._events(content["metadata"]["resourceVersion"]):
                    self._take(event)
            time.sleep(RETRY_SECONDS)

    def _events(self, version: str) -> Iterator[dict[str, Any]]:
        """Until the watch ends, as every watch does now and then."""
        try:
            for line in self._client.lines(f"/api/v1/pods?watch=1&timeoutSeconds=3600&resourceVersion={version}"):
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return
                yield event
        except OSError as error:
            print(f"the watch of pods ended: {error}", flush=True)

    def _take(self, event: dict[str, Any]) -> None:
        pod = event["object"]
        if event["type"] == "DELETED":
            self._pods.pop(pod["metadata"]["uid"], None)
        else:
            self._pods[pod["metadata"]["uid"]] = targets_of(pod)
        self._write()

    def _write(self) -> None:
        groups = [target.as_group() for uid in sorted(self._pods) for target in self._pods[uid]]
        text = json.dumps(groups, indent=1)
        if text != self._written:
            # Renamed into place: Prometheus must not read half a file.
            partial = self._file.with_suffix(".part")
            partial.write_text(text)
            os.replace(partial, self._file)
            self._written = text
