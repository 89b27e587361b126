from __future__ import annotations

from pathlib import Path

import pytest

from hack.cluster.layout import ClusterError, Layout, current_layout


def test_two_checkouts_share_the_cache_and_nothing_else(tmp_path: Path) -> None:
    one, other = (Layout(checkout=tmp_path / name, cache=tmp_path / "cache") for name in ("one", "other"))
    assert one.cgroup != other.cgroup
    assert one.state != other.state


def test_the_state_is_in_a_folder_of_the_checkout_that_git_ignores() -> None:
    layout = current_layout()
    assert layout.state.parent == layout.checkout
    assert "/.cluster/" in (layout.checkout / ".gitignore").read_text().splitlines()


def test_a_missing_program_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIDEGATE_VENV", raising=False)
    with pytest.raises(ClusterError, match="run `make dev` first"):
        Layout(checkout=tmp_path, cache=tmp_path).from_venv("traefik")
