from __future__ import annotations

import pytest

from hack.image import lock

HASH = "    --hash=sha256:" + "0" * 64
PROJECT = '[project]\ndependencies = ["Web_Client>=2"]\n[project.optional-dependencies]\ndev = ["tester"]\n'
CONSTRAINTS = (
    f"idna==3 \\\n{HASH}\n    # via web-client, tester\n"
    f"plug==1 \\\n{HASH} \\\n{HASH}\n    # via tester\n"
    f"tester==9 \\\n{HASH}\n    # via tidegate (pyproject.toml)\n"
    f"deep==4 \\\n{HASH}\n    # via idna\n"
    f"web-client==2.1 \\\n{HASH}\n    # via tidegate (pyproject.toml), tester\n"
)


def test_what_the_operator_stands_on_is_taken_with_its_hashes_and_no_tool_is() -> None:
    made = lock.needed(PROJECT, CONSTRAINTS).removeprefix(lock.HEADER)
    assert made == f"deep==4 \\\n{HASH}\nidna==3 \\\n{HASH}\nweb-client==2.1 \\\n{HASH}\n"


def test_a_dependency_that_is_not_locked_is_named() -> None:
    with pytest.raises(ValueError, match="has no other: run make lock"):
        lock.needed(PROJECT.replace("Web_Client>=2", "other"), CONSTRAINTS)


def test_every_entry_of_the_lock_is_understood() -> None:
    """Or a package would be missing in the image without a word."""
    text = (lock.ROOT / "constraints.txt").read_text(encoding="utf-8")
    names = [line for line in text.splitlines() if "==" in line and not line.startswith((" ", "#"))]
    assert len(list(lock.entries(text))) == len(names)
