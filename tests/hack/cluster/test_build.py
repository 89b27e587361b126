from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster.build import cache_key, kubernetes_version
from hack.cluster.layout import ClusterError, current_layout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "main.go").write_text("package main\n")
    (tmp_path / "go.mod").write_text("module x\n\nrequire (\n\tk8s.io/kubernetes v1.37.2\n)\n")
    (tmp_path / "go.sum").write_text("")
    return tmp_path


@pytest.mark.parametrize("file", ["main.go", "go.mod", "go.sum", "another.go"])
def test_a_change_of_any_source_is_another_binary(source: Path, file: str) -> None:
    before = cache_key(source, "go1.26.8")
    with (source / file).open("a") as opened:
        opened.write("// changed\n")
    assert cache_key(source, "go1.26.8") != before


def test_another_go_is_another_binary_and_a_note_beside_the_source_is_not(source: Path) -> None:
    before = cache_key(source, "go1.26.8")
    (source / "README.md").write_text("a note\n")
    assert cache_key(source, "go1.26.8") == before
    assert cache_key(source, "go1.27.0") != before


def test_text_moved_from_one_file_to_the_next_is_another_binary(source: Path) -> None:
    (source / "a.go").write_text("xy")
    (source / "b.go").write_text("z")
    before = cache_key(source, "go1.26.8")
    (source / "a.go").write_text("x")
    (source / "b.go").write_text("yz")
    assert cache_key(source, "go1.26.8") != before


def test_the_version_is_the_one_that_the_module_requires(source: Path) -> None:
    assert kubernetes_version(source) == "v1.37.2"
    assert kubernetes_version(current_layout().tool / "components").startswith("v1.37.")


def test_a_module_without_kubernetes_is_refused(source: Path) -> None:
    (source / "go.mod").write_text("module x\n")
    with pytest.raises(ClusterError, match=r"requires no k8s\.io/kubernetes"):
        kubernetes_version(source)
