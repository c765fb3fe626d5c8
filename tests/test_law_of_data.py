"""Every rule of the law of data has a test for each layer that it concerns; the table of breaches stays true."""

import re

import pytest

from tests.law_of_data import BREACHES, ROOT, Breach


@pytest.mark.parametrize("breach", BREACHES, ids=lambda breach: f"{breach.layer}-{breach.seen_by[1][:40]}")
def test_a_breach_is_possible_and_the_test_that_sees_it_is_there(breach: Breach) -> None:
    assert (ROOT / breach.file).read_text().count(breach.was) == 1
    where, words = breach.seen_by
    names = re.findall(r"def (test_\w+)", (ROOT / where).read_text())
    for word in words.split(" or "):
        assert any(word in name for name in names), word
