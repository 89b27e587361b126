"""A Prometheus that finds the pods of Releases by themselves, and the gateway."""

import json
import sys
from pathlib import Path

from hack.cluster import api
from hack.cluster.api import Api
from hack.cluster.credentials import token
from hack.cluster.discovery import Discovery
from hack.cluster.layout import GATEWAY_METRICS_PORT, PROMETHEUS_PORT, Layout
from hack.cluster.packages import Software
from hack.cluster.supervisor import Part


def parts(layout: Layout, software: Software, server: str) -> list[Part]:
    configuration = layout.configuration / "prometheus.json"
    configuration.write_text(json.dumps(_configuration(layout), indent=1))
    _targets(layout).parent.mkdir(exist_ok=True)

    def api_ready() -> bool:
        return api.get(f"{server}/readyz").ok

    return [
        Part(
            name="prometheus",
            command=[
                software.command("prometheus"),
                f"--config.file={configuration}",
                f"--storage.tsdb.path={layout.volatile / 'prometheus'}",
                "--storage.tsdb.retention.time=6h",
                "--storage.tsdb.retention.size=512MB",
                # On all addresses: pods reach it at the node's.
                f"--web.listen-address=:{PROMETHEUS_PORT}",
                "--web.enable-lifecycle",
                # A hidden flag: how often found pods become scraped ones. Its 5 s come on top of another 5 s.
                "--scrape.discovery-reload-interval=1s",
            ],
        ),
        Part(name="discovery", command=[sys.executable, layout.tool, "discover", server], waits_for=api_ready),
    ]


def healthy() -> bool:
    return api.get(f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready").ok


def discover(layout: Layout, server: str) -> None:
    """The body of the `discovery` part."""
    client = Api(server, layout.credentials / "ca.crt", token(layout, "prometheus"))
    Discovery(client, _targets(layout)).run()


def _targets(layout: Layout) -> Path:
    return layout.volatile / "prometheus-targets" / "pods.json"


def _configuration(layout: Layout) -> dict[str, object]:
    """JSON, which is YAML too."""
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{PROMETHEUS_PORT}"]}]},
            {"job_name": "traefik", "static_configs": [{"targets": [f"127.0.0.1:{GATEWAY_METRICS_PORT}"]}]},
            {
                "job_name": "pods",
                "file_sd_configs": [{"files": [str(_targets(layout))]}],
                # What a pod says of its own version gives way to its labels, which the Release wrote.
                "metric_relabel_configs": [
                    {"action": "labeldrop", "regex": "exported_(version|revision|release|component|pod|namespace)"}
                ],
            },
        ],
    }
