"""Starts the parts of the cluster in order, restarts one that dies, and reaps what is orphaned.

It is pid 1 of the cluster's pid namespace, so whoever kills it ends everything. In the control-plane-only mode it is
an ordinary process, and ends its parts itself.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# A part that dies at once is not started again more often than this.
RESTART_SECONDS = 1.0
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Part:
    """One process of the cluster. It is started when `waits_for` holds (always, if None)."""

    name: str
    command: Sequence[str | Path]
    waits_for: Callable[[], bool] | None = None
    environment: Mapping[str, str] | None = None


class Supervisor:
    """Runs parts until SIGTERM. One log file per part in `log`, our own words on standard output."""

    def __init__(self, parts: Sequence[Part], *, log: Path, environment: Mapping[str, str]) -> None:
        self._parts = list(parts)
        self._log = log
        self._environment = dict(environment)
        self._running: dict[int, Part] = {}
        self._earliest: dict[str, float] = {}
        self._stopping = False

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        while not self._stopping:
            self._reap()
            running = {part.name for part in self._running.values()}
            for part in self._parts:
                if part.name not in running and self._may_start(part):
                    self._start(part)
            self._sleep(waiting=len(self._running) < len(self._parts))
        self._end()

    def _stop(self, _signal: int, _frame: object) -> None:
        self._stopping = True

    def _may_start(self, part: Part) -> bool:
        if time.monotonic() < self._earliest.get(part.name, 0):
            return False
        return part.waits_for is None or part.waits_for()

    def _start(self, part: Part) -> None:
        self._earliest[part.name] = time.monotonic() + RESTART_SECONDS
        with (self._log / f"{part.name}.log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in part.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**self._environment, **(part.environment or {})},
            )
        self._running[process.pid] = part
        # We wait for every child with waitpid; left alone, Popen would wait for this one again and warn.
        process.returncode = 0
        self._say(f"{part.name} started as {process.pid}")

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            part = self._running.pop(pid, None)
            if part is not None:
                self._say(f"{part.name} ended with {os.waitstatus_to_exitcode(status)}")

    def _sleep(self, *, waiting: bool) -> None:
        # A dead child interrupts no sleep (there is no handler for SIGCHLD), hence the short turn also at rest.
        time.sleep(0.1 if waiting else 0.5)

    def _end(self) -> None:
        """Last started, first stopped: the API server hangs for minutes when etcd goes before it."""
        for pid, part in reversed(list(self._running.items())):
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS
            while pid in self._running:
                self._reap()
                if time.monotonic() > deadline:
                    self._say(f"{part.name} did not end within {STOP_SECONDS:.0f}s, killing it")
                    os.kill(pid, signal.SIGKILL)
                    deadline = float("inf")
                time.sleep(0.05)

    def _say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)
