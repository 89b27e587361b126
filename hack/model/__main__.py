"""Runs the exhaustive model: `make model`, or python -m hack.model [--reduced] [--bugs] [--list] [NAME ...]."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from hack.model.bugs import BUGS, hunt
from hack.model.explore import Exploration, Found
from hack.model.premises import PREMISES
from hack.model.scenarios import ALL, named
from tests.engine.rules import DECISION_RULES

COLUMNS = ("world", "states", "edges", "depth", "calm states", "components", "rests", "CPU s", "states/s")


def explored(name: str, reduced: int | None) -> Found:
    """`reduced`: which of its two small forms."""
    scenario = named(name)
    return Exploration(scenario if reduced is None else scenario.reduced[reduced]).run()


def hunted(number: int) -> Found:
    return hunt(BUGS[number])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hack.model", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="worlds to explore; none: all")
    parser.add_argument("--reduced", action="store_true", help="with one fault or one edit a run, as in CI")
    parser.add_argument("--bugs", action="store_true", help="only plant the bugs")
    parser.add_argument("--list", action="store_true", help="name the worlds and what they are about")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="worlds side by side")
    said = parser.parse_args(arguments)
    known = {scenario.name for scenario in ALL}
    if unknown := set(said.names) - known:
        parser.error(f"no world is named {', '.join(sorted(unknown))}; --list names them")
    if said.list:
        for scenario in ALL:
            print(f"{scenario.name:10} {scenario.about}")
        return 0
    with ProcessPoolExecutor(said.processes) as pool:
        sound = said.bugs or explore_all(pool, said.names or [s.name for s in ALL], said.reduced)
        caught = bool(said.names) or hunt_all(pool)
    return 0 if sound and caught else 1


def explore_all(pool: ProcessPoolExecutor, names: Iterable[str], reduced: bool) -> bool:
    began, found = time.monotonic(), list[Found]()
    print(_row(COLUMNS))
    for result in _as_they_end(pool, names, reduced):
        found.append(result)
        print(_row(_columns(result)), flush=True)
        for sentence in result.broken:
            print(f"  BROKEN: {sentence}")
        for number, step in enumerate(result.way, start=1):
            print(f"    {number}. {step}")
    states, edges = sum(f.states for f in found), sum(f.edges for f in found)
    calm, calm_edges = sum(f.calm_states for f in found), sum(f.calm_edges for f in found)
    seconds, cpu = time.monotonic() - began, sum(f.seconds for f in found)
    print(
        f"\n{states:,} states and {edges:,} steps between them; from these, without faults, {calm:,} states and "
        f"{calm_edges:,} steps in {sum(f.components for f in found):,} components, of which a run can stay in "
        f"{sum(f.rests for f in found):,}: each a rest as it should be.\n"
        f"{len(DECISION_RULES)} rules on each of {sum(f.decisions for f in found):,} different decisions, those on the "
        f"world on every step. {seconds:.0f} s, {cpu:.0f} s of CPU: "
        f"{states / max(cpu, 0.1):,.0f} states a second and core.\n"
    )
    premises: Counter[str] = sum((f.premises for f in found), Counter())
    print("How many different decisions put the rules to the test:")
    for premise in PREMISES:
        print(f"  {premises[premise]:>9,}  {premise}")
    print()
    untested = [premise for premise in PREMISES if not premises[premise]]
    if untested and len(found) >= len(ALL):
        print(f"NOT TESTED: {'; '.join(untested)}")
        return False
    return not any(f.broken for f in found)


def hunt_all(pool: ProcessPoolExecutor) -> bool:
    print(f"{'planted bug':53} {'world':9} {'states':>7} {'steps':>5}  caught by")
    survived = 0
    for bug, result in zip(BUGS, pool.map(hunted, range(len(BUGS))), strict=True):
        by = result.broken[0] if result.broken else "NOTHING"
        survived += not result.broken
        print(f"{bug.design:53} {bug.scenario:9} {result.states:>7,} {len(result.way):>5}  {by}", flush=True)
    print(f"\n{len(BUGS) - survived} of {len(BUGS)} planted bugs caught")
    return not survived


def _as_they_end(pool: ProcessPoolExecutor, names: Iterable[str], reduced: bool) -> Iterable[Found]:
    forms = [(name, form) for name in names for form in (range(len(named(name).reduced)) if reduced else (None,))]
    for future in as_completed([pool.submit(explored, *form) for form in forms]):
        yield future.result()


def _columns(f: Found) -> tuple[str, ...]:
    counts = (f.states, f.edges, f.depth, f.calm_states, f.components, f.rests)
    return (
        f.scenario,
        *(f"{count:,}" for count in counts),
        f"{f.seconds:.1f}",
        f"{f.states / max(f.seconds, 0.1):,.0f}",
    )


def _row(columns: Sequence[str]) -> str:
    return f"{columns[0]:10}" + "".join(f"{column:>13}" for column in columns[1:])


if __name__ == "__main__":
    sys.exit(main())
