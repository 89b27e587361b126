"""`go build`, watched: which package it is at, and how long it will still take."""

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from hack.cluster.layout import ClusterError
from hack.cluster.progress import Progress

TOLD_EVERY_SECONDS = 10.0


class BuildClock:
    """Reckons the time left from how many packages are compiled, as soon as those are enough to go by.

    `estimate` is in seconds, from nothing to the end; `packages` how many there are to compile from nothing.
    """

    def __init__(self, estimate: float, packages: int) -> None:
        self.estimate = estimate
        self._packages = packages
        self._done = 0

    def compiled(self) -> None:
        self._done += 1

    def left(self, elapsed: float) -> float:
        """Seconds. Packages that Go has in its cache are not counted, so it is rather too long than too short."""
        # Measured: half of the packages take a quarter of the time (the large ones come last), and the linker 5 %.
        share = min((self._done / self._packages) ** 2, 0.95)
        if share < 0.05:
            return max(self.estimate - elapsed, 0)
        return elapsed * (1 - share) / share

    def tell(self, elapsed: float) -> str:
        packages = f"{self._done} of at most {self._packages} packages"
        return f"{packages} in {elapsed:.0f}s, about {self.left(elapsed):.0f}s left"


def go_build(
    go: str,
    source: Path,
    output: Path,
    linker_flags: str,
    compiled: Callable[[], None] = lambda: None,
    *,
    package: str = ".",
) -> None:
    """Builds the main package in `source`, or one that its go.mod names, statically; calls `compiled` after every
    package.

    Raises ClusterError with what the compiler said.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".part")
    said = []
    with subprocess.Popen(
        [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", linker_flags, "-o", partial, package],
        cwd=source,
        env={**os.environ, "CGO_ENABLED": "0", "GOWORK": "off"},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            # -v prints the path of each package, alone in its line.
            if re.fullmatch(r"[\w.~/-]+\n", line):
                compiled()
            else:
                said.append(line)
    if process.returncode != 0:
        raise ClusterError(f"`go build` in {source} failed:\n{''.join(said)[-4000:]}")
    partial.rename(output)


@contextlib.contextmanager
def telling(progress: Progress, what: str, clock: BuildClock) -> Iterator[None]:
    """Says every ten seconds how far the build in the body is."""
    began = time.monotonic()
    done = threading.Event()

    def tell() -> None:
        while not done.wait(TOLD_EVERY_SECONDS):
            progress.say(f"  building {what}: {clock.tell(time.monotonic() - began)}")

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
