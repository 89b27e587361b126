"""What `up` prints: one line a step, and how long is left of the long ones."""

import contextlib
import sys
import time
from collections.abc import Iterator


class Progress:
    def __init__(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def say(self, text: str) -> None:
        # Flushed, because in CI this goes into a pipe and people watch.
        print(f"{self.elapsed:6.1f}s  {text}", flush=True)

    @contextlib.contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Says how long the step took when it is done; says nothing about a step that raises."""
        began = time.monotonic()
        yield
        self.say(f"{text} ({time.monotonic() - began:.1f}s)")


def complain(text: str) -> None:
    print(f"cluster: {text}", file=sys.stderr, flush=True)
