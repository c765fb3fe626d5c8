"""What the plugin author's guide shows is what happens."""

import doctest
from pathlib import Path

GUIDE = Path(__file__).parent.parent.parent / "docs" / "plugins.md"


def test_the_examples_of_the_guide_are_true() -> None:
    done = doctest.testfile(str(GUIDE), module_relative=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert done.attempted > 15
    assert done.failed == 0
