from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster.build import find_go
from hack.cluster.gobuild import BuildClock, go_build
from hack.cluster.layout import ClusterError, current_layout
from hack.cluster.progress import Progress


def test_before_there_is_anything_to_go_by_the_estimate_counts_down() -> None:
    clock = BuildClock(estimate=500, packages=1000)
    assert clock.left(elapsed=100) == 400
    assert clock.left(elapsed=600) == 0


def test_then_the_packages_say_how_long_it_takes() -> None:
    clock = BuildClock(estimate=500, packages=1000)
    for _ in range(500):
        clock.compiled()
    assert clock.left(elapsed=100) == pytest.approx(300)
    assert clock.tell(elapsed=100) == "500 of at most 1000 packages in 100s, about 300s left"


def test_more_packages_than_expected_are_no_reason_to_say_it_is_over() -> None:
    clock = BuildClock(estimate=500, packages=10)
    for _ in range(20):
        clock.compiled()
    assert 0 < clock.left(elapsed=100) < 10


def test_what_the_compiler_says_is_in_the_error_and_no_half_binary_is_left(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module x\n\ngo 1.26\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    go = find_go(current_layout(), Progress())
    with pytest.raises(ClusterError, match="undefined: nonsense"):
        go_build(go, tmp_path, tmp_path / "out", "")
    assert not (tmp_path / "out").exists()
