"""Write hack/image/requirements.txt: those entries of constraints.txt that the operator needs to run.

    python hack/image/lock.py            write
    python hack/image/lock.py --check    exit 1 if it is out of date

The image has the versions and hashes that the tests ran with, and none of the tools.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("requirements.txt")
HEADER = (
    "# What is in the operator's image beside Python and Tidegate. Written by hack/image/lock.py (make lock) out of\n"
    "# constraints.txt: change pyproject.toml, not this file.\n"
)


class Entry(NamedTuple):
    """One package of constraints.txt: its line with the hashes, and the packages that ask for it."""

    name: str
    text: str
    via: frozenset[str]


def entries(constraints: str) -> Iterator[Entry]:
    found = re.finditer(
        r"^((\S+)==\S+ \\\n(?:    --hash=\S+(?: \\)?\n)+)    # via (.*)$", constraints, flags=re.MULTILINE
    )
    for match in found:
        via = (canonicalize_name(re.split(r"[ (\[]", parent.strip())[0]) for parent in match[3].split(","))
        yield Entry(canonicalize_name(match[2]), match[1], frozenset(via))


def needed(project: str, constraints: str) -> str:
    """Text of requirements.txt: what `dependencies` of pyproject.toml name, and all that those ask for.

    Raises ValueError where one of them is not locked.
    """
    known = {entry.name: entry for entry in entries(constraints)}
    dependencies = tomllib.loads(project)["project"]["dependencies"]
    names: set[str] = {canonicalize_name(Requirement(text).name) for text in dependencies}
    if missing := names - known.keys():
        raise ValueError(f"constraints.txt has no {', '.join(sorted(missing))}: run make lock")
    while more := {entry.name for entry in known.values() if entry.via & names} - names:
        names |= more
    return HEADER + "".join(known[name].text for name in sorted(names))


def main() -> int:
    wanted = needed(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"), (ROOT / "constraints.txt").read_text(encoding="utf-8")
    )
    if "--check" not in sys.argv:
        FILE.write_text(wanted, encoding="utf-8")
    elif not FILE.exists() or FILE.read_text(encoding="utf-8") != wanted:
        print(f"{FILE.relative_to(ROOT)} is out of date: run make lock", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
