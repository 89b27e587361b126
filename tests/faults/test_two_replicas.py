"""Two operators, one Lease: the standby takes over from a leader that is gone, and one that comes back does nothing."""

from __future__ import annotations

import time

from hack.stage.api import eventually
from hack.stage.operator import Operator
from hack.stage.proxy import Fault, FaultProxy, Wrong
from tests.faults.life import Life, epoch_of, route_writes, until_quiet

LEASE = 8.0  # seconds, as in SHORT_LEASE
SLOWLY = [{"weight": 10, "hold": "3s"}, {"weight": 50, "hold": "3s"}, {"weight": 100, "hold": "1s"}]
FOR_EVER = [{"weight": 10, "hold": "300s"}, {"weight": 100, "hold": "1s"}]


def _pair(life: Life) -> tuple[tuple[Operator, FaultProxy], tuple[Operator, FaultProxy]]:
    """The one that leads, with a climb of v1.1.0 ahead; and the one that stands by."""
    first, second = life.operator("first"), life.operator("second")
    first[0].start()
    life.given_live("v1.0.0")
    second[0].start()
    eventually(lambda: "the view is whole" in second[0].log.read_text(), 30, "the standby sees all")
    assert not second[1].writes, "a standby writes nothing"
    return first, second


def test_the_standby_goes_on_where_a_killed_leader_stopped(life: Life) -> None:
    (leader, _), (standby, proxy) = _pair(life)
    life.declare("v1.1.0", steps=SLOWLY)
    life.then_weight(10)
    epoch = epoch_of(life.release())
    leader.kill()
    killed = time.time()
    eventually(lambda: _leads(standby), LEASE + 6, "the standby leads", 0.1)
    assert time.time() - killed > 1, "nobody leads before the Lease has run out"
    life.then(lambda status: status["phase"] == "Completed" and status["weight"] == 100, 60, "completed")
    life.then(lambda status: status["stable"]["version"] == "v1.1.0", 5, "v1.1.0 is stable")
    rungs = [weights.get(_stable(life), 0) for weights in route_writes(proxy.writes)]
    assert list(dict.fromkeys(rungs)) in ([10, 50, 100], [50, 100]), "no step back, none left out"
    epochs = {epoch_of(write.answer) for write in proxy.writes if write.subresource == "status" and write.done}
    assert epochs == {epoch + 1}


def test_a_leader_that_was_frozen_beyond_its_lease_changes_nothing_when_it_wakes(life: Life) -> None:
    (frozen, old), (standby, new) = _pair(life)
    life.declare("v1.1.0", steps=FOR_EVER)
    life.then_weight(10)
    frozen.freeze()
    eventually(lambda: _leads(standby), LEASE + 6, "the standby leads", 0.1)
    life.act("Rollback")
    life.then(lambda status: status["phase"] == "Reverted", 20, "the standby reverts")
    until_quiet([new])  # it still takes away what was reverted
    before, seen, backends = life.release(), len(old.writes), life.backends()
    frozen.thaw()
    eventually(lambda: not frozen.running(), 20, "the old leader ends")
    time.sleep(2)
    late = [write for write in old.writes[seen:] if write.done]
    assert not late, f"a deposed leader wrote: {late}"
    assert life.release()["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
    assert life.backends() == backends
    assert backends[_stable(life)] == 100
    assert standby.running()
    assert max(_versions(old)) < min(_versions(new)), "no write of the old epoch came after the first of the new one"


def test_a_write_that_was_on_its_way_while_the_lead_changed_is_refused(life: Life) -> None:
    (frozen, old), (standby, _) = _pair(life)
    old.begin(Fault(Wrong.HELD, what="patch httproutes web"))
    life.declare("v1.1.0", steps=FOR_EVER)
    eventually(lambda: old.fired, 30, "the raise to 10 % is on its way")
    frozen.freeze()
    eventually(lambda: _leads(standby), LEASE + 6, "the standby leads", 0.1)
    eventually(lambda: life.backends().get(_new(life)) == 10, 20, "the standby does what was recorded")
    life.act("Rollback")
    life.then(lambda status: status["phase"] == "Reverted", 20, "the standby reverts")
    old.let_go()
    frozen.thaw()
    eventually(lambda: not frozen.running(), 20, "the old leader ends")
    late = eventually(lambda: [w for w in old.writes if w.resource == "httproutes"], 10, "the late write has arrived")
    assert [write.code for write in late] == [409]
    assert {name: weight for name, weight in life.backends().items() if weight} == {_stable(life): 100}


def test_a_standby_takes_over_at_once_from_a_leader_that_is_told_to_stop(life: Life) -> None:
    (leader, _), (standby, _) = _pair(life)
    leader.stop()
    eventually(lambda: _leads(standby), 2.5, "the Lease was left to the standby", 0.1)


def _leads(operator: Operator) -> bool:
    return any("leading as" in str(line.get("message")) for line in operator.lines())


def _versions(proxy: FaultProxy) -> list[int]:
    """The resourceVersions that an operator's writes have made, lowest first."""
    return sorted(int(w.answer["metadata"]["resourceVersion"]) for w in proxy.writes if w.done and w.verb != "delete")


def _new(life: Life) -> str:
    """The Service of what is not stable, or of what became it last."""
    candidate = life.status().get("candidate") or life.status()["history"][0]
    return f"shop-web-{candidate['revision'][:10]}"


def _stable(life: Life) -> str:
    return f"shop-web-{life.status()['stable']['revision'][:10]}"
