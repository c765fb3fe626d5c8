import pytest

from orlop.codes import Fail
from orlop.controller.usecases.waiting import failure_code


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ("/dev/loop0 is in use: mounted at /mnt", Fail.IN_USE),
        ("could not create /srv/a_00000: No space left on device", Fail.NOT_ENOUGH_FREE_SPACE),
        ("could not create /srv/a_00000: Disk quota exceeded", Fail.NOT_ENOUGH_FREE_SPACE),
        ('Volume group "vg" has insufficient free space (205 extents): 25600 required.', Fail.NOT_ENOUGH_FREE_SPACE),
        ("Insufficient free space: 8998 extents needed, but only 218 available", Fail.NOT_ENOUGH_FREE_SPACE),
        ("/srv/orlop/fulltext_00000 is missing and is not made again by itself", Fail.UNKNOWN_ERROR),
    ],
)
def test_a_problem_has_the_number_that_clients_ask_for(problem, code):
    assert failure_code(problem) is code
