"""Where the global options come from, and who wins."""

import pytest

from orlop.cli.config import places


@pytest.fixture
def seen(orlop):
    """Which controller a command line would talk to."""
    return lambda line="": orlop(f"{line} --curl node list").out.split("/")[2].split(":")[0]


def _write(orlop, where: str, text: str) -> None:
    path = orlop.home / where
    path.parent.mkdir(parents=True)
    path.write_text(text)


ORLOP = ".config/orlop/orlop-client.conf"
LINSTOR = ".config/linstor/linstor-client.conf"


def test_without_a_word_it_is_this_machine(seen):
    assert seen() == "localhost"


def test_the_configuration_of_linstors_client_is_read(orlop, seen):
    _write(orlop, LINSTOR, "[global]\ncontrollers=alice\n")
    assert seen() == "alice"


def test_our_own_configuration_goes_before_linstors(orlop, seen):
    _write(orlop, LINSTOR, "[global]\ncontrollers=alice\n")
    _write(orlop, ORLOP, "[global]\ncontrollers=bob\n")
    assert seen() == "bob"


def test_the_environment_goes_before_the_configuration(orlop, seen):
    _write(orlop, ORLOP, "[global]\ncontrollers=bob\n")
    orlop.environment["LS_CONTROLLERS"] = "carol"
    assert seen() == "carol"
    orlop.environment["ORLOP_CONTROLLERS"] = "dave"
    assert seen() == "dave"


def test_the_command_line_goes_before_all(orlop, seen):
    orlop.environment["ORLOP_CONTROLLERS"] = "dave"
    assert seen("--controllers eve") == "eve"


def test_the_configuration_can_be_left_out(orlop, seen):
    _write(orlop, ORLOP, "[global]\ncontrollers=bob\n")
    assert seen("--disable-config") == "localhost"


def test_a_flag_in_the_configuration_needs_no_value(orlop):
    _write(orlop, ORLOP, "[global]\nmachine-readable\n")
    assert orlop("node list").json == [[]]


def test_a_broken_configuration_is_named(orlop):
    _write(orlop, ORLOP, "controllers=bob\n")
    done = orlop("node list")
    assert done.code == 1
    assert ORLOP in done.err
    assert "--disable-config" in done.err


def test_the_places_are_looked_at_in_order(tmp_path):
    found = places({"HOME": "/home/me", "ORLOP_CONFIG": "/x.conf"}, system=tmp_path)
    assert [str(path) for path in found] == [
        "/x.conf",
        "/home/me/.config/orlop/orlop-client.conf",
        f"{tmp_path}/orlop/orlop-client.conf",
        "/home/me/.config/linstor/linstor-client.conf",
        f"{tmp_path}/linstor/linstor-client.conf",
    ]


def test_a_token_is_never_shown(orlop):
    orlop.environment["ORLOP_TOKEN"] = "geheim"
    done = orlop("--curl node list")
    assert "geheim" not in done.out + done.err
