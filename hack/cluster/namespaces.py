"""Linux namespaces: start a process in new ones, and run commands in those of another process.

os.unshare and os.setns come with Python 3.12; until that is the oldest we support, libc is called directly.
"""

import ctypes
import os
import signal
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from hack.cluster.layout import ClusterError

_libc = ctypes.CDLL(None, use_errno=True)

_MOUNT, _PID, _NETWORK = 0x00020000, 0x20000000, 0x40000000
_FILES = {_MOUNT: "mnt", _PID: "pid", _NETWORK: "net"}
_PR_SET_PDEATHSIG = 1
_SI_KERNEL = 0x80

_PASSED_ON = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}
_MARK = "TIDEGATE_CLUSTER_EXEC"


def start(command: list[str], *, log: Path, isolated: bool) -> int:
    """Starts a daemon, if isolated as pid 1 of new mount, pid and network namespaces. Returns its pid out here.

    Raises ClusterError if the machine does not allow it.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _become_parent_of(command, log=log, isolated=isolated, answer=writing)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    if not answer.isdigit():
        raise ClusterError(
            f"this machine allows no namespaces of our own ({answer or 'no word why'}). As root of a machine or of a "
            "privileged container it works; elsewhere `make test-api` runs what needs no pods; or use KIND=1, "
            "CLUSTER=current"
        )
    return int(answer)


def _become_parent_of(command: list[str], *, log: Path, isolated: bool, answer: int) -> None:
    """In the child of start(): a process enters its new pid namespace only by being born into it, so fork again."""
    try:
        os.setsid()
        if isolated:
            _check(_libc.unshare(_MOUNT | _PID | _NETWORK), "unshare")
        grandchild = os.fork()
        if grandchild == 0:
            os.close(answer)
            _redirect(log)
            os.execv(command[0], command)
        os.write(answer, str(grandchild).encode())
    except OSError as error:
        os.write(answer, str(error).encode())
    finally:
        os._exit(0)


def _redirect(log: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(file, 1)
    os.dup2(file, 2)


def enter_network(pid: int) -> None:
    """Moves this process into the network namespace of `pid`."""
    _enter(pid, [_NETWORK])


def _enter(pid: int, wanted: list[int]) -> None:
    folder = os.getcwd()
    # All are opened first: once in the new mount namespace, /proc has other numbers.
    try:
        descriptors = {one: os.open(f"/proc/{pid}/ns/{_FILES[one]}", os.O_RDONLY) for one in wanted}
        for one, descriptor in descriptors.items():
            _check(_libc.setns(descriptor, one), f"setns {_FILES[one]}")
            os.close(descriptor)
    except PermissionError:
        raise ClusterError("the cluster is root's, and so is the way into it: put `sudo -E` in front") from None
    os.chdir(folder)


def run(command: list[str], environment: Mapping[str, str], *, inside: int | None) -> int:
    """Runs a command, if `inside` is given in the namespaces of that pid; returns its exit code.

    Standard streams and the terminal are the command's. A signal sent to us is sent on, and when we were told to end,
    whatever the command had started and left is ended too. If we are killed outright, so is the command.
    """
    if inside is not None:
        _enter(inside, [_NETWORK, _MOUNT, _PID])  # of pids only our children change
    mark = uuid.uuid4().hex
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_PASSED_ON, signal.SIGCHLD})
    child = os.fork()
    if child == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            os.execvpe(command[0], command, {**environment, _MARK: mark})
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr, flush=True)
        os._exit(127)
    told = False
    status = 0
    while True:
        received = signal.sigwaitinfo({*_PASSED_ON, signal.SIGCHLD})
        if received.si_signo == signal.SIGCHLD:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                break
            continue
        told = True
        # What comes from the keyboard has reached the command already, as it is in our process group.
        if received.si_code != _SI_KERNEL:
            os.kill(child, received.si_signo)
    if told:
        _end_marked(mark)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_marked(mark: str) -> None:
    """Kills every process that has our mark in its environment."""
    # In a child, whose pids are those of the /proc we see.
    scanner = os.fork()
    if scanner:
        os.waitpid(scanner, 0)
        return
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
            except OSError:
                continue  # gone, or not ours
    os._exit(0)


def started_at(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None if there is none. With the pid, it names a process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def _check(result: int, call: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")
