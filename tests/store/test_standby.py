import threading

from orlop.controller.standby import Standby
from orlop.controller.store import Store


def test_a_second_controller_waits_until_the_first_is_gone(open_store: Store) -> None:
    lost: list[str] = []
    first = Standby(open_store.lease(), "first", lost.append, seconds=20.0)
    second = Standby(open_store.lease(), "second", lost.append, seconds=20.0)
    first.wait_for_turn()
    turn = threading.Thread(target=second.wait_for_turn)
    turn.start()
    turn.join(0.5)
    assert turn.is_alive(), "two controllers are active"
    first.stop()
    turn.join(30.0)
    assert not turn.is_alive()
    second.stop()
    assert lost == []


def test_who_loses_the_lease_is_told_to_end(open_store: Store) -> None:
    lost = threading.Event()
    holder = Standby(open_store.lease(), "holder", lambda reason: lost.set(), seconds=20.0)
    holder.wait_for_turn()
    thief = open_store.lease()
    thief.acquire("holder", 20.0)
    thief.release()
    assert thief.acquire("thief", 20.0)
    assert lost.wait(30.0)
    holder.stop()
    assert not open_store.lease().acquire("third", 1.0), "the thief's lease is not given away"
