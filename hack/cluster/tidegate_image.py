"""The operator's image out of this checkout and the venv's Python: what hack/image/Containerfile makes, without Docker.

Two layers: Python and the packages, which all checkouts share in the cache, and Tidegate itself. Each is named after
everything that it depends on, so that nothing is packed twice and nothing stale is used.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from hack.cluster.build import lock
from hack.cluster.images import Image
from hack.cluster.layout import ClusterError, Layout
from hack.cluster.progress import Progress
from hack.image import tree

REPOSITORY = "docker.io/library/tidegate"
"""How containerd spells the image `tidegate` of manifests/base and charts/tidegate: they run here as they are."""


def image(layout: Layout, progress: Progress) -> Image:
    """The image under the version of this checkout; packs what is not packed yet."""
    python = layout.from_venv("python")
    packing = _contents([Path(tree.__file__)])
    runtime = layout.cache / f"operator-runtime-{_key(packing, *_contents([tree.REQUIREMENTS]), *_python(python))}.tar"
    with lock(runtime.with_suffix(".lock")):
        if not runtime.exists():
            with progress.step("operator's Python and packages packed"):
                _pack(layout, python, "--runtime", runtime)
    sources = layout.checkout / "operator" / "tidegate"
    application = layout.images / f"operator-{_key(packing, *_contents(sorted(sources.rglob('*.py'))))}.tar"
    if not application.exists():
        for old in layout.images.glob("operator-*.tar"):
            old.unlink()
        with progress.step("operator packed"):
            _pack(layout, python, "--application", application)
    return Image(
        name=f"{REPOSITORY}:{version(layout)}",
        entrypoint=tree.ENTRYPOINT,
        command=tree.COMMAND,
        environment=tree.ENVIRONMENT,
        layers=(runtime, application),
        user=f"{tree.USER}:{tree.USER}",
    )


def version(layout: Layout) -> str:
    """As in operator/tidegate/__init__.py. Raises ClusterError where it says none."""
    file = layout.checkout / "operator" / "tidegate" / "__init__.py"
    found = re.search(r'^__version__ = "(.+)"$', file.read_text(), re.MULTILINE)
    if found is None:
        raise ClusterError(f"{file} has no __version__")
    return found[1]


def _pack(layout: Layout, python: Path, which: str, output: Path) -> None:
    done = subprocess.run(
        [python, tree.__file__, which, output], cwd=layout.checkout, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ClusterError(f"packing the operator's image failed: {done.stderr[-2000:]}")


def _contents(files: Iterable[Path]) -> list[str]:
    return [f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]


def _python(python: Path) -> list[str]:
    program = python.resolve()
    state = program.stat()
    return [str(program), str(state.st_size), str(state.st_mtime_ns), os.uname().machine]


def _key(packing: list[str], *words: str) -> str:
    return hashlib.sha256("\n".join([*packing, *words]).encode()).hexdigest()[:12]
