"""Load on the gateway: the generator as a process, and what its log says afterwards."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hack.stage.shop import GATEWAY

SAMPLE = Path(__file__).parents[2] / ".cluster" / "bin" / "sample"


@dataclass(frozen=True)
class Request:
    """One request: instants in seconds since the epoch; an error leaves version empty and code 0."""

    start: float
    end: float
    version: str
    code: int
    error: str


class Load:
    """Open-loop requests to one host behind the gateway, or at another URL, until `stop`. Each has a connection of its
    own."""

    def __init__(self, host: str, log: Path, rps: float = 50, url: str = GATEWAY) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [SAMPLE, "load", "-url", url, "-host", host, "-rps", str(rps), "-log", log]
        self._process = subprocess.Popen(
            [*map(str, command), "-report", os.devnull], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=15)

    def __enter__(self) -> "Load":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def requests(self, since: float = 0.0) -> list[Request]:
        """All that have ended and began at `since` or later, in the order of their ends."""
        return [request for request in self._read() if request.start >= since]

    def _read(self) -> Iterator[Request]:
        for line in self._log.read_text().splitlines() if self._log.exists() else ():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the last line, half written
            yield Request(
                entry["start"] / 1e9,
                entry["end"] / 1e9,
                entry.get("version", ""),
                entry.get("code", 0),
                entry.get("error", ""),
            )

    def shares(self, seconds: float = 1.0) -> dict[str, int]:
        """How many answers each version gave in the last seconds."""
        counts: dict[str, int] = {}
        for request in self.requests(since=time.time() - seconds):
            counts[request.version] = counts.get(request.version, 0) + 1
        return counts
