"""Abbreviations, greedy options, sizes, help."""

import click
import pytest

from orlop.cli import sizes
from orlop.cli.grammar import Menu, Verb
from orlop.cli.program import orlop as program
from orlop.cli.program import run


def _commands(menu: click.Command, ctx: click.Context, path: tuple[str, ...] = ()):
    if isinstance(menu, Menu):
        for name in menu.list_commands(ctx):
            yield from _commands(menu.get_command(ctx, name), ctx, (*path, name))
    else:
        yield pytest.param(menu, id=" ".join(path))


COMMANDS = list(_commands(program, click.Context(program, **program.context_settings)))


@pytest.mark.parametrize(
    "line",
    ["node list", "node l", "n l", "n list"],
)
def test_a_command_is_found_by_name_alias_and_beginning(orlop, line):
    assert orlop(line).requests == ["GET /v1/nodes"]


@pytest.mark.parametrize("line", ["resource-def cr db", "rd c db", "resource-definition creat db"])
def test_a_beginning_is_enough_if_it_is_the_only_one(orlop, line):
    assert orlop(line).requests == ['POST /v1/resource-definitions {"resource_definition":{"name":"db"}}']


def test_an_ambiguous_beginning_is_refused_with_the_candidates(orlop):
    done = orlop("nod list")
    assert done.code == 2
    assert "'nod' is ambiguous; it may be node or node-connection." in done.err
    assert not done.requests


def test_an_unknown_command_is_refused_with_what_there_is(orlop):
    done = orlop("node fly")
    assert done.code == 2
    assert "there is no command 'fly'" in done.err
    assert "evacuate" in done.err


def test_an_ambiguous_option_is_refused_with_the_candidates(orlop):
    done = orlop("resource create alpha backups --d")
    assert done.code == 2
    assert "--diskless" in done.err
    assert "--drbd-diskless" in done.err


def test_an_option_may_be_shortened(orlop):
    assert orlop("node list --no alpha").requests == ["GET /v1/nodes?nodes=alpha"]


def test_a_greedy_option_takes_all_words_up_to_the_next_option(orlop):
    assert orlop("resource list -n alpha bravo -r db").requests == [
        "GET /v1/view/resources?nodes=alpha&nodes=bravo&resources=db"
    ]


def test_a_greedy_option_leaves_the_words_that_the_command_needs(orlop):
    done = orlop("resource create --storage-pool pool_ssd alpha db")
    assert done.requests == [
        "POST /v1/resource-definitions/db/resources "
        '[{"resource":{"node_name":"alpha","props":{"StorPoolName":"pool_ssd"}}}]'
    ]


def test_a_greedy_option_without_words_clears(orlop):
    done = orlop("resource-group modify fast --storage-pool")
    assert done.requests == ['PUT /v1/resource-groups/fast {"select_filter":{"storage_pool_list":[]}}']


def test_words_after_two_dashes_are_no_options(orlop):
    assert orlop("node set-property alpha key -- -5").requests == [
        'PUT /v1/nodes/alpha {"override_props":{"key":"-5"}}'
    ]


@pytest.mark.parametrize(
    ("text", "kib"),
    [
        ("10", 10 * 1024**2),
        ("10G", 10 * 1024**2),
        ("10gib", 10 * 1024**2),
        ("10GB", 9765625),
        ("512M", 512 * 1024),
        ("1TiB", 1024**3),
        ("1.5m", 1536),
        ("8S", 4),
        ("1b", 1),
        ("1025B", 2),
        ("1kB", 1),
        ("1P", 1024**4),
    ],
)
def test_a_size_is_read_with_its_unit_and_rounded_up(text, kib):
    assert sizes.kib(text) == kib


@pytest.mark.parametrize("text", ["", "G", "-1G", "1X", "1 G G"])
def test_what_is_no_size_is_refused(orlop, text):
    done = orlop(f"volume-definition create -- db '{text}'")
    assert done.code == 2
    assert not done.requests


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself(command: Verb):
    context = click.Context(command, info_name=command.name, **command.context_settings)
    text = command.get_help(context)
    assert command.help, "a paragraph says what it does"
    assert "Example:" in text
    assert command.example.startswith("orlop ")
    for parameter in command.get_params(context):
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, f"{parameter.opts} has no help"


@pytest.mark.parametrize("line", ["help node create", "node create --help", "n c -h"])
def test_help_is_given_in_every_way(orlop, line):
    done = orlop(line)
    assert done.code == 0
    assert "Add a node to the cluster." in done.out


def test_all_commands_can_be_listed_with_their_aliases(orlop):
    done = orlop("list-commands --tree")
    assert "node (n)" in done.out
    assert "  create (c)" in done.out
    assert "gen-zsh-completer" not in done.out


def test_drbd_options_are_refused_when_none_is_given(orlop):
    assert orlop("resource-definition drbd-options db").code == 2


def test_a_drbd_option_can_be_unset(orlop):
    done = orlop("resource-definition drbd-options db --unset-protocol --handler-split-brain /bin/tell")
    assert done.requests == [
        "PUT /v1/resource-definitions/db "
        '{"override_props":{"DrbdOptions/Handlers/split-brain":"/bin/tell"},"delete_props":["DrbdOptions/Net/protocol"]}'
    ]


def test_a_property_is_removed_by_leaving_out_the_value(orlop):
    assert orlop("controller sp Autoplacer/PreSelectScript").requests == [
        'POST /v1/controller/properties {"delete_props":["Autoplacer/PreSelectScript"]}'
    ]


@pytest.mark.parametrize("value", ["--stripes 2", "-o compression=lz4"])
def test_a_value_that_begins_like_an_option_needs_no_trick(value, capsys):
    assert run(["--disable-config", "--curl", "storage-pool", "set-property", "alpha", "pool", "Aux/words", value]) == 0
    assert value in capsys.readouterr().out


def test_a_misspelt_option_is_no_value(capsys):
    assert run(["--disable-config", "--curl", "storage-pool", "set-property", "alpha", "pool", "words", "--auxx"]) != 0
