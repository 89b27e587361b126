"""The figures: what each must be, what the rivals reach, and a table of both beside what was measured."""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wanted:
    """`most` is the target, if there is one; the rivals were measured on such a control plane, with 100 objects and an
    interval of 10 s."""

    words: str
    unit: str
    most: float | None
    argo: str = ""
    flagger: str = ""


def _wanted() -> dict[str, Wanted]:
    """By the key of a figure. What nobody set a target for is measured all the same."""
    found = {
        "revert-writes": Wanted("writes a revert", "", 3, "12", "2.2"),
        "revert-gets": Wanted("GETs a revert", "", 0, "", "25"),
        "climb-writes": Wanted("writes to reach 10 %", "", 7, "18"),
        "rest-100-cpu": Wanted("100 at rest: CPU", CORE, None, "2.5"),
        "rest-1000-cpu": Wanted("1,000 at rest: CPU", CORE, 0.5),
        "rest-10000-cpu": Wanted("10,000 at rest: CPU", CORE, None),
        "rest-100-requests": Wanted(f"100 at rest: {OTHER}", "", 0, "", "113 GETs/s"),
        "rest-1000-requests": Wanted(f"1,000 at rest: {OTHER}", "", 0),
        "rest-10000-requests": Wanted(f"10,000 at rest: {OTHER}", "", 0),
        "rss-100": Wanted("RSS with 100 at rest", MIB, 90, "98", "70"),
        "rss-1000": Wanted("RSS with 1,000 at rest", MIB, 120),
        "rss-10000": Wanted("RSS with 10,000 at rest", MIB, 1024),
        "start-100": Wanted("start to first decision with 100", SECONDS, None),
        "start-1000": Wanted("start to first decision with 1,000", SECONDS, None),
        "start-10000": Wanted("start to first decision with 10,000", SECONDS, 60),
        "soak-slope": Wanted("500 rolling for 30 minutes: growth of RSS", "MiB an hour", None),
    }
    limits = {("10s", 1): (5.5, 11.0), ("10s", 100): (5.5, 11.0), ("10s", 1000): (None, 21.0)}
    limits |= {("1s", 1): (None, 2.0), ("1s", 100): (None, 2.0)}
    rivals = {("zero", "10s", 100): (("13.3", "19.0"), ("18.4", "19.5"))}
    for (tick, count), both in limits.items():
        for end, words in (("zero", "weight 0"), ("last", "the candidate's last request")):
            known = rivals.get((end, tick, count), (("", ""), ("", "")))
            for share, most, (argo, flagger) in zip(("p50", "p99"), both, known, strict=True):
                title = f"{count:,} at once, tick {tick}: breach to {words}, {share}"
                found[f"{end}-{tick}-{count}-{share}"] = Wanted(title, SECONDS, most, argo, flagger)
    return found


SECONDS, CORE, MIB = "s", "% of a core", "MiB"
OTHER = "requests other than Lease, watches, sweep"
WANTED = _wanted()


@dataclass(frozen=True)
class Figure:
    """One measured number; `key` is that of a target, or a name of its own."""

    key: str
    value: float
    unit: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        wanted = WANTED.get(self.key)
        if wanted is None or wanted.most is None:
            return ""
        return "met" if self.value <= wanted.most else "MISSED"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of them does not exceed."""
    ranked = sorted(values)
    return ranked[max(0, -(-len(ranked) * round(share * 1000) // 1000) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Least squares: units of the second a unit of the first."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def machine() -> dict[str, str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "processor": _processor(),
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": sys.version.split()[0],
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def show(figures: Iterable[Figure]) -> str:
    """A table in Markdown, one row a figure."""
    rows = ["| figure | target | ours | | Argo Rollouts | Flagger |", "| --- | ---: | ---: | --- | ---: | ---: |"]
    for figure in figures:
        wanted = WANTED.get(figure.key)
        words, unit = (wanted.words, wanted.unit) if wanted else (figure.key, figure.unit)
        words = f"{words} ({figure.note})" if figure.note else words
        target = f"≤ {wanted.most:g}{f' {unit}' if unit else ''}" if wanted and wanted.most is not None else ""
        ours = f"{figure.value:.3g}{f' {unit}' if unit else ''}"
        rivals = (wanted.argo, wanted.flagger) if wanted else ("", "")
        rows.append(f"| {words} | {target} | {ours} | {figure.verdict} | {rivals[0]} | {rivals[1]} |")
    return "\n".join(rows)


def keep(folder: Path, name: str, figures: Sequence[Figure]) -> Path:
    """As JSON, with the machine and the load at the end of the measurement."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{time.strftime('%H%M%S')}-{name}.json"
    path.write_text(json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]}, indent=1))
    return path
