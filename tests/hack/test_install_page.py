"""docs/install.md has every right of the operator, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from hack.stage.rights import granted

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "install.md").read_text(encoding="utf-8")


def test_the_table_of_rights_has_all_that_are_granted_and_no_others() -> None:
    table = PAGE.split("## What the operator may do")[1]
    told = {
        (resource, verb)
        for resources, verbs in re.findall(r"^\| (`[^|]*`) \| ([a-z, ]+) \|", table, re.MULTILINE)
        for resource in re.findall(r"`([^`]+)`", resources)
        for verb in verbs.split(", ")
    }
    assert told == {(right.resource, right.verb) for right in granted()}
