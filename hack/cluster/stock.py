"""The images every cluster starts with."""

import subprocess
from pathlib import Path

from hack.cluster.images import Image

REPOSITORY = "tidegate.local"
PAUSE = f"{REPOSITORY}/pause:1"

# One binary, told by its environment how to behave (hack/sample/settings.go).
SAMPLE_VERSIONS: dict[str, dict[str, str]] = {
    "v1.0.0": {},
    "v1.1.0": {},
    "v1.2.0": {},
    "v1.3.0": {},
    "v2.0.0-bad": {"ERROR_RATE": "0.25"},
    "v2.1.0-slow": {"LATENCY": "600ms"},
    "v2.2.0-crash": {"CRASH_AFTER": "2s"},
    "v2.3.0-unready": {"DEPENDENCY_DOWN": "database"},
}


def stock_images(sample: Path, busybox: Path) -> list[Image]:
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    versions = [
        Image(
            name=f"{REPOSITORY}/sample:{version}",
            entrypoint=("/bin/sample",),
            files={"/bin/sample": sample},
            environment={"VERSION": version, **behaviour},
        )
        for version, behaviour in SAMPLE_VERSIONS.items()
    ]
    return [
        Image(name=PAUSE, entrypoint=("/bin/sample", "pause"), files={"/bin/sample": sample}),
        Image(
            name=f"{REPOSITORY}/busybox:1",
            entrypoint=("/bin/sh",),
            files={"/bin/busybox": busybox},
            links={f"/bin/{applet}": "busybox" for applet in applets if applet != "busybox"},
        ),
        *versions,
    ]
