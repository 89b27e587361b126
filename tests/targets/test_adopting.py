"""What is written down of a Deployment that was taken over is read back with care: anybody may have written it."""

import pytest

from tidegate.targets.kubernetes.adopting import ADOPTED, Held, held


def written(text: str) -> dict[str, object]:
    return {"metadata": {"name": "web", "annotations": {ADOPTED: text}}}


def test_what_was_written_is_read_back() -> None:
    text = '{"component": "web", "replicas": 3, "paused": true, "at": 12.5}'
    assert held(written(text)) == Held("web", 3, paused=True, at=12.5)


@pytest.mark.parametrize("number", ["Infinity", "-1", "1e400", "NaN", "99999999999", '"many"', "null"])
def test_nonsense_is_as_if_nothing_were_written(number: str) -> None:
    assert held(written(f'{{"component": "web", "replicas": {number}, "paused": false, "at": 0}}')) is None


def test_nesting_without_end_is_nonsense() -> None:
    assert held(written("[" * 100_000)) is None
