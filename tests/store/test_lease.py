"""One of several controllers holds the lease, by the database's clock; it stops by its own at half time."""

from sqlalchemy import text

from orlop.controller.store import Lease, Store


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def expire(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE lease SET expires = 1"))


def test_one_holder_at_a_time(open_store: Store) -> None:
    first, second = open_store.lease(), open_store.lease()
    assert first.acquire("first", 60)
    assert not second.acquire("second", 60)
    assert (first.held, second.held) == (True, False)
    assert first.acquire("first", 60)
    first.release()
    assert not first.held
    assert second.acquire("second", 60)


def test_a_lease_that_is_over_goes_to_the_next_and_is_not_renewed(open_store: Store) -> None:
    first, second = open_store.lease(), open_store.lease()
    assert first.acquire("first", 60)
    expire(open_store)
    assert second.acquire("second", 60)
    assert not first.renew()
    assert not first.held
    first.release()
    assert second.renew()


def test_a_holder_stops_at_half_time_by_its_own_clock(open_store: Store) -> None:
    clock = Clock()
    lease = Lease(open_store.engine, clock)
    assert lease.acquire("me", 60)
    clock.now += 29
    assert lease.held
    clock.now += 1
    assert not lease.held
    assert lease.renew()
    assert lease.held


def test_the_database_measures_the_time(open_store: Store) -> None:
    lease = open_store.lease()
    assert lease.acquire("me", 3600)
    with open_store.engine.connect() as connection:
        expires = connection.execute(text("SELECT expires FROM lease")).scalar_one()
    lease.release()
    assert 1_750_000_000_000 < expires < 4_000_000_000_000
    assert not lease.renew()
