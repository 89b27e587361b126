"""`exec`, as a process: it has to behave as if the command had been run directly. Without a cluster around it here;
entering the namespaces adds nothing to what is looked at."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = f"""\
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from hack.cluster.namespaces import run
sys.exit(run(sys.argv[1:], os.environ, inside=None))
"""


def begin(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_streams_and_exit_code_are_those_of_the_command() -> None:
    process = begin("sh", "-c", "cat; echo oops >&2; exit 7")
    said, complained = process.communicate("hello\n", timeout=20)
    assert (said, complained, process.returncode) == ("hello\n", "oops\n", 7)


def test_a_command_that_is_not_there_is_127_as_in_a_shell() -> None:
    process = begin("no-such-command")
    _, complained = process.communicate(timeout=20)
    assert process.returncode == 127
    assert complained == "no-such-command: No such file or directory\n"


def test_a_signal_reaches_the_command_which_decides() -> None:
    process = begin("sh", "-c", 'trap "echo told; exit 5" TERM; echo ready; while :; do sleep 0.05; done')
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert (said, process.returncode) == ("told\n", 5)


def test_what_a_terminated_command_leaves_running_is_ended_too() -> None:
    process = begin("sh", "-c", "sleep 600 & echo $!; wait")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert gone(child)


def test_a_wrapper_that_is_killed_takes_the_command_along() -> None:
    process = begin("sh", "-c", "echo $$; exec sleep 600")
    assert process.stdout is not None
    child = int(process.stdout.readline())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    assert gone(child)
