"""The command line with the operator at the other end."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.e2e.scenario import Shop

LONG = [{"weight": 10, "hold": "120s"}, {"weight": 50, "hold": "120s"}, {"weight": 100, "hold": "2s"}]


def tidegate(shop: Shop, *words: str, seconds: float = 90) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    command = [sys.executable, "-m", "tidegate.cli", "--namespace", shop.namespace, *words]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def test_a_release_is_followed_from_the_first_step_to_the_end(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0")
    code, out, err = tidegate(shop, "status", "shop", "--watch")
    assert (code, err) == (0, ""), out
    lines = out.splitlines()
    weights = [weight for weight in ("10 %", "50 %", "100 %") if any(f" {weight} step" in line for line in lines)]
    assert weights == ["10 %", "50 %", "100 %"], out
    assert "v1.1.0 serves" in lines[-1]


def test_people_pause_promote_and_roll_back(shop: Shop) -> None:
    shop.given_live("v1.0.0")
    shop.declare("v1.1.0", steps=LONG)
    shop.then_weight("v1.1.0", 10)

    assert tidegate(shop, "pause", "shop", "--at", "50", "--reason", "lunch", "--wait")[0] == 0
    _, out, _ = tidegate(shop, "status", "shop")
    assert "paused at 50 % by" in out
    assert "lunch" in out
    assert "● 10 %" in out

    code, out, err = tidegate(shop, "promote", "shop", "--reason", "all well", "--wait")
    assert (code, err) == (0, "")
    assert out.startswith("Done: ")
    shop.then_weight("v1.1.0", 50)

    code, out, err = tidegate(shop, "retry", "shop", "--reason", "why not", "--wait")
    assert (code, out) == (1, "")
    assert err == "tidegate: refused: v1.1.0 is not rejected\n"

    assert tidegate(shop, "resume", "shop", "--reason", "lunch is over", "--wait")[0] == 0
    assert tidegate(shop, "rollback", "shop", "--reason", "INC-1", "--wait")[0] == 0
    shop.then_phase("Reverted")
    code, out, _ = tidegate(shop, "status", "shop", "--watch")
    assert code == 1
    assert "rolled back" in out

    code, out, _ = tidegate(shop, "status", "shop", "-o", "json")
    status: dict[str, Any] = json.loads(out)["status"]
    assert (code, status["phase"], status["revert"]["cause"]) == (0, "Reverted", "Person")
