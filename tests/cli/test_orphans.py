"""What would be lost is asked for twice."""

ONE = "orphan remove alpha pool1 db_00000"


def test_an_orphan_is_named_with_its_identity(orlop):
    for line in (ONE, f"{ONE} --uuid u --unmarked", "orphan adopt alpha pool1 db_00000"):
        done = orlop(line)
        assert (done.code, done.requests) == (2, [])
        assert "--unmarked" in done.err


def test_a_removal_is_asked_for_and_says_what_is_lost(orlop):
    done = orlop(f"{ONE} --uuid u-1", stdin="n\n")
    assert done.requests == []
    assert "All data of db_00000 in pool pool1 on alpha, with the mark u-1 will be lost." in done.err
    assert orlop(f"{ONE} --unmarked").requests == []  # nobody answers
    assert len(orlop(f"{ONE} --unmarked", stdin="y\n").requests) == 1
