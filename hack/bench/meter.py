"""What a process has used so far, out of /proc."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Usage:
    """`cpu` in seconds, user and system; `rss` and `peak` in MiB."""

    cpu: float
    rss: float
    peak: float


def usage(pid: int) -> Usage:
    """Of one process, without its children. Raises OSError where it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / _TICKS
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return Usage(cpu, _mebibytes(status["VmRSS"]), _mebibytes(status["VmHWM"]))


def _mebibytes(field: str) -> float:
    return int(field.split()[0]) / 1024
