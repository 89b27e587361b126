"""Definitions of others, out of the Go modules that ship them."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from hack.cluster.layout import ClusterError
from hack.cluster.progress import Progress


def kept(folder: Path, go: str, progress: Progress, what: str, module: str, take: Callable[[Path, Path], None]) -> Path:
    """What is in `folder` of the cache, or what `take` (module's folder, new folder) takes out of a module."""
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with progress.step(f"{what} fetched"), tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        done = subprocess.run(
            [go, "mod", "download", "-json", module],
            cwd=scratch,
            env={**os.environ, "GOWORK": "off", "GOFLAGS": ""},
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise ClusterError(f"fetching {what} failed: {done.stdout}{done.stderr}")
        ours = Path(scratch) / "ours"
        take(Path(json.loads(done.stdout)["Dir"]), ours)
        ours.chmod(0o755)
        shutil.move(ours, folder)
    return folder
