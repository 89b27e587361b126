"""`python -m hack.bench`: measures, and prints each figure beside its target.

python -m hack.bench latency --count 100 --tick 10 --rounds 5
python -m hack.bench standing --count 1000
python -m hack.bench soak --count 500 --minutes 30
python -m hack.bench table            # all that was measured since the last `make clean`, the newest of each
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from hack.bench.figures import Figure, keep, machine, show
from hack.bench.latency import latency
from hack.bench.soak import soak
from hack.bench.stage import Late, Stage, stage
from hack.bench.standing import standing

RESULTS = Path(__file__).parents[2] / ".cluster" / "bench-results"


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.figure == "table":
        print(show(_newest()))
        return 0
    measure: Callable[[Stage], Awaitable[list[Figure]]]
    if arguments.figure == "latency":
        name = f"latency-{arguments.count}-{arguments.tick:g}s"
        measure = lambda s: latency(s, arguments.count, arguments.tick, arguments.rounds, at_rest=arguments.among)  # noqa: E731
    elif arguments.figure == "standing":
        name = f"standing-{arguments.count}"
        measure = lambda s: standing(s, arguments.count, arguments.seconds)  # noqa: E731
    else:
        name = f"soak-{arguments.count}"
        measure = lambda s: soak(s, arguments.count, arguments.minutes)  # noqa: E731
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing of ours is left running
    try:
        figures = asyncio.run(_on_stage(measure))
    except Late as late:
        print(f"bench: {late}", file=sys.stderr)
        return 1
    path = keep(RESULTS, name, figures)
    print("\n" + ", ".join(f"{key} {value}" for key, value in machine().items()))
    print(f"\n{show(figures)}\n\nkept in {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")
    return 0


async def _on_stage(measure: Callable[[Stage], Awaitable[list[Figure]]]) -> list[Figure]:
    async with stage() as there:
        return await measure(there)


def _newest() -> list[Figure]:
    found: dict[str, Figure] = {}
    for file in sorted(RESULTS.glob("*.json"), key=lambda file: file.stat().st_mtime):
        for figure in json.loads(file.read_text())["figures"]:
            found[figure["key"]] = Figure(**figure)
    return list(found.values())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hack.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    figures = parser.add_subparsers(dest="figure", required=True)
    one = figures.add_parser("latency", help="from a breach in the source to weight 0, and to the last request")
    one.add_argument("--count", type=int, default=100, help="Releases that revert at once")
    one.add_argument("--among", type=int, default=0, help="Releases that there are in all")
    one.add_argument("--tick", type=float, default=10.0, help="seconds between two looks of a guard")
    one.add_argument("--rounds", type=int, default=3)
    rest = figures.add_parser("standing", help="requests, CPU and memory at rest; start to first decision")
    rest.add_argument("--count", type=int, default=1000)
    rest.add_argument("--seconds", type=float, default=60.0, help="how long to look at it")
    long = figures.add_parser("soak", help="memory while releases roll")
    long.add_argument("--count", type=int, default=500)
    long.add_argument("--minutes", type=float, default=30.0)
    figures.add_parser("table", help="all that was measured, the newest of each")
    return parser


if __name__ == "__main__":
    sys.exit(main())
