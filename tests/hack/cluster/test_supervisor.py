"""The supervisor as what it is: a process with children. Each test gives it a few shells to look after."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROGRAM = """\
import os, pathlib, sys
sys.path.insert(0, {root!r})
from hack.cluster.supervisor import Part, Supervisor
log = pathlib.Path({log!r})
Supervisor({parts}, log=log, environment=os.environ).run()
"""


class Supervised:
    def __init__(self, log: Path, parts: str) -> None:
        self._log = log
        program = PROGRAM.format(root=str(ROOT), log=str(log), parts=parts)
        self.process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)

    def lines(self, part: str) -> list[str]:
        file = self._log / f"{part}.log"
        return file.read_text().splitlines() if file.exists() else []

    def end(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        said, _ = self.process.communicate(timeout=20)
        return said


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Callable[[str], Supervised]]:
    begun: list[Supervised] = []

    def begin(parts: str) -> Supervised:
        begun.append(Supervised(tmp_path, parts))
        return begun[-1]

    yield begin
    for one in begun:
        if one.process.poll() is None:
            one.end()


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < deadline, "it did not come to be within 15 s"
        time.sleep(0.02)


def test_a_part_that_dies_is_started_again(supervise: Callable[[str], Supervised]) -> None:
    supervised = supervise('[Part("a", ["sh", "-c", "echo $$; exec sleep 60"])]')
    until(lambda: supervised.lines("a"))
    os.kill(int(supervised.lines("a")[0]), signal.SIGKILL)
    until(lambda: len(supervised.lines("a")) == 2)
    assert "a ended with -9" in supervised.end()


def test_a_part_waits_for_what_it_needs(supervise: Callable[[str], Supervised], tmp_path: Path) -> None:
    needed = tmp_path / "needed"
    parts = f'[Part("late", ["sh", "-c", "echo up; sleep 60"], waits_for=pathlib.Path({str(needed)!r}).exists)'
    supervised = supervise(parts + ', Part("first", ["sh", "-c", "echo up; sleep 60"])]')
    until(lambda: supervised.lines("first"))
    assert supervised.lines("late") == []
    needed.touch()
    until(lambda: supervised.lines("late"))


def test_told_to_end_it_ends_the_last_started_first_and_kills_nobody_that_listens(
    supervise: Callable[[str], Supervised],
) -> None:
    shell = 'trap "exit 0" TERM; echo up; while :; do sleep 0.05; done'
    supervised = supervise(f'[Part("a", ["sh", "-c", {shell!r}]), Part("b", ["sh", "-c", {shell!r}])]')
    until(lambda: supervised.lines("a") and supervised.lines("b"))
    ended = [line.split(" ", 1)[1] for line in supervised.end().splitlines() if "ended" in line]
    assert ended == ["b ended with 0", "a ended with 0"]
    assert supervised.process.returncode == 0
