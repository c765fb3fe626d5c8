"""The law of data (docs/architecture.md, "The satellite: look, decide, act") for layers: what breaks each rule, and
the test that sees it.

`python -m tests.law_of_data` really breaks every rule once, in a copy of the tree, and wants the named tests to fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LAYERS = "plugins/layers/orlop_layers"
CONTROLLER = "core/orlop/controller"
PARTS = ("core", "plugins/storage", "plugins/layers", "plugins/policies")


class Breach(NamedTuple):
    """`was` stands once in `file`; with `broken` in its place the tests of `seen_by` fail, a file and words for -k."""

    rule: str
    layer: str
    file: str
    was: str
    broken: str
    seen_by: tuple[str, str]


DRBD, LUKS, NVME, STORAGE = "DRBD", "LUKS", "NVME", "STORAGE"
IDENTITY, NEW, SIZE = "identity is on the object", "creating needs `new`", "a difference in size never shrinks"
LAST, UNSEEN = "the last copy", "planning stops above what cannot be seen"
SYNC, SECRETS, SPLIT = (
    "the initial sync is skipped only without doubt",
    "secrets are on stdin",
    "nobody's writes are given up",
)
_DRBD = "tests/plugins/test_drbd.py"
_APART = "tests/plugins/test_drbd_external_metadata.py"
_REPLICATION = "tests/simulation/test_replication.py"
_OPERATIONS = "tests/simulation/test_operations.py"
_REPLACED = "tests/simulation/test_replaced_disks.py"
_LUKS = "tests/plugins/test_luks.py"
_NVME = "tests/plugins/test_nvme.py"
_SYNC = "tests/controller/test_initial_sync.py"
_LAST = "tests/simulation/test_last_copy.py"
_MOVING = "tests/controller/test_moving.py"
_TAKING = "tests/simulation/test_taking.py"

BREACHES = (
    # -- objects that an administrator names --------------------------------------------------------------------------
    Breach(
        IDENTITY,
        STORAGE,
        "core/orlop/satellite/objects.py",
        "    if there.uuid in (wanted.uuid, own or wanted.uuid):",
        "    if True:",
        (_TAKING, "made_volumes_by_others_keep_their_mark"),
    ),
    Breach(
        IDENTITY,
        STORAGE,
        f"{CONTROLLER}/usecases/taking.py",
        "    if found.uuid != uuid:",
        "    if False:",
        (_TAKING, "adopted_by_the_mark_it_bears or goes_only_by_its_mark"),
    ),
    Breach(
        IDENTITY,
        STORAGE,
        "core/orlop/satellite/objects.py",
        "            if same or (order.object.uuid and order.object.uuid in _marks(item)):",
        "            if False:",
        (_TAKING, "no_orphan_whatever_it_is_called"),
    ),
    Breach(
        IDENTITY,
        STORAGE,
        "plugins/storage/orlop_storage/taken_files.py",
        "    if volume.name in folder.files and thing.name != volume.name:",
        "    if False:",
        (_TAKING, "name_that_is_taken_is_not_given_away"),
    ),
    Breach(
        NEW,
        STORAGE,
        f"{CONTROLLER}/usecases/taking.py",
        "levels=levels, new=False)",
        "levels=levels, new=True)",
        (_TAKING, "orphan_without_a_mark_becomes"),
    ),
    Breach(
        SIZE,
        STORAGE,
        f"{CONTROLLER}/usecases/taking.py",
        "        if levels[-1].size > size:",
        "        if False:",
        (_TAKING, "needs_a_volume_of_that_size"),
    ),
    Breach(
        SYNC,
        DRBD,
        f"{CONTROLLER}/usecases/importing.py",
        '            if len(said) > 1 or "" in said:',
        "            if False:",
        ("tests/simulation/test_importing.py", "different_data_are_refused"),
    ),
    Breach(
        SYNC,
        DRBD,
        f"{LAYERS}/drbd_found.py",
        '    if fields[GOOD] != ["1", "1"] or fields[0] == JUST_CREATED:',
        "    if False:",
        ("tests/simulation/test_importing.py", "not_known_to_be_good"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{CONTROLLER}/usecases/importing.py",
        "            new=False,",
        "            new=True,",
        ("tests/simulation/test_importing.py", "comes_up_with_its_data"),
    ),
    Breach(
        LAST,
        STORAGE,
        "plugins/storage/orlop_storage/taken_files.py",
        "    return [RequireUnused(device=path), *(folder.detach(thing.name) or [RemoveFile(path=path)])]",
        "    return folder.detach(thing.name) or [RemoveFile(path=path)]",
        (_TAKING, "orphan_in_use_stays"),
    ),
    Breach(
        LAST,
        STORAGE,
        f"{CONTROLLER}/usecases/protection.py",
        "    if LOCKED in definition.flags:",
        "    if False:",
        ("tests/simulation/test_protection.py", "locked_definition_keeps_its_data"),
    ),
    Breach(
        LAST,
        STORAGE,
        f"{CONTROLLER}/usecases/protection.py",
        "    if LOCKED in snapshot.flags:",
        "    if False:",
        ("tests/simulation/test_protection.py", "locked_snapshot_is_deleted_neither"),
    ),
    # -- LUKS ---------------------------------------------------------------------------------------------------------
    Breach(
        IDENTITY,
        LUKS,
        f"{LAYERS}/luks.py",
        'return content.uuid != "" and content.uuid in (volume.uuid, _source(volume))',
        "return True",
        (_LUKS, "nothing_is_formatted_where_anything_is_found or foreign_header_is_not_erased"),
    ),
    Breach(
        IDENTITY,
        LUKS,
        f"{LAYERS}/luks.py",
        "return found if found.uuid.startswith(own) else None",
        "return found",
        (_LUKS, "open_volume_of_the_same_name_but_another_uuid"),
    ),
    Breach(
        NEW,
        LUKS,
        f"{LAYERS}/luks.py",
        "return Presence.ABSENT if volume.new else Presence.MISSING",
        "return Presence.ABSENT",
        (_LUKS, "volume_that_is_not_new_is_never_formatted"),
    ),
    Breach(
        SIZE,
        LUKS,
        f"{LAYERS}/luks.py",
        "elif mapped.size < level.size:",
        "elif mapped.size != level.size:",
        (_LUKS, "smaller_number_never_shrinks"),
    ),
    Breach(
        UNSEEN,
        LUKS,
        f"{LAYERS}/luks.py",
        "            raise CannotRead(self.problems[below])\n        return self.contents[below]",
        "            return Content()\n        return self.contents[below]",
        (_LUKS, "nothing_is_formatted_on_what_cannot_be_read"),
    ),
    Breach(
        LAST,
        LUKS,
        f"{LAYERS}/luks.py",
        "left = sorted(keys.retired & known - {keys.slot})",
        "left = sorted(known)",
        (_LUKS, "last_key_is_never_removed or old_one_goes_when_told"),
    ),
    Breach(
        SECRETS,
        LUKS,
        f"{LAYERS}/luks.py",
        "*options, below, secrets=(keys.name,))\n\n    def _open",
        "*options, below, keys.name, secrets=(keys.name,))\n\n    def _open",
        (_LUKS, "no_key_is_in_an_argument or contract"),
    ),
    # -- NVMe ---------------------------------------------------------------------------------------------------------
    Breach(
        IDENTITY,
        NVME,
        f"{LAYERS}/nvme_target.py",
        "if strangers := [other for other in port.subsystems if not other.startswith(ours)]:",
        "if strangers := []:",
        (_NVME, "port_of_somebody_else_is_not_shared"),
    ),
    Breach(
        IDENTITY,
        NVME,
        f"{LAYERS}/nvme_target.py",
        "if there.open_to_all:",
        "if False:",
        (_NVME, "opened_to_all_is_closed_again"),
    ),
    Breach(
        LAST,
        NVME,
        f"{LAYERS}/nvme_initiator.py",
        "[RequireUnused(device=there.device)] if there.device else []",
        "[]",
        (_NVME, "nothing_is_disconnected_before_it_is_proved_unused"),
    ),
    Breach(
        SIZE,
        NVME,
        f"{LAYERS}/nvme_initiator.py",
        "there.size < size:",
        "there.size > size:",
        (_NVME, "larger_target_is_looked_at_again"),
    ),
    # -- DRBD ---------------------------------------------------------------------------------------------------------
    Breach(
        IDENTITY,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        "return on != below or (",
        "return (",
        (_DRBD, "device_on_another_one_than_ours"),
    ),
    Breach(
        IDENTITY,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        'self.apart.get(minor, "") != apart',
        "False",
        (_APART, "metadata_on_another_one_is_not_ours"),
    ),
    Breach(
        IDENTITY,
        DRBD,
        f"{LAYERS}/drbd_look.py",
        " or volume.metadata is not None,",
        ",",
        (_APART, "bears_the_mark_of_its_volume"),
    ),
    Breach(
        IDENTITY,
        DRBD,
        f"{LAYERS}/drbd.py",
        "if nine or not replica.peers:",
        "if True:",
        (_REPLACED, "node_that_was_lost_comes_back"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{LAYERS}/drbd.py",
        "return Presence.ABSENT if volume.new else Presence.MISSING",
        "return Presence.ABSENT",
        (_DRBD, "metadata_is_made_only_while_the_volume_is_new"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{LAYERS}/drbd_look.py",
        "and not filled:",
        "and False:",
        (_DRBD, "new_device_with_a_signature_is_left"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{LAYERS}/drbd_look.py",
        " and device == place.device",
        "",
        (_APART, "its_metadata_is_blank"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{LAYERS}/drbd_look.py",
        "filter(None, (place.device, place.apart))",
        "(place.device,)",
        (_APART, "signature_on_either_device"),
    ),
    Breach(
        NEW,
        DRBD,
        f"{CONTROLLER}/orders.py",
        'return of is None or of.first in ("", volume.uuid)',
        "return True",
        ("tests/simulation/test_replicated_file_systems.py", "made_once_and_replicated or comes_later"),
    ),
    Breach(
        SIZE,
        DRBD,
        f"{LAYERS}/drbd_growing.py",
        "device.size >= wanted",
        "device.size == wanted",
        (_DRBD, "difference_in_size_shrinks_no_device"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/migrating.py",
        "return whole and _is_unused(source, reports)",
        "return _is_unused(source, reports)",
        (_MOVING, "stays_while_another_one_is_not"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/moving.py",
        'len(staying) < operation.arguments.get("replicas", 0)',
        "False",
        (_MOVING, "somebody_took_another_one_away"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/usecases/moves.py",
        "    is_good = replicating.is_up_to_date(core, definition, made) or len(behind) == len(others)",
        "    is_good = False",
        ("tests/simulation/test_healing.py", "cancelled_move_leaves_a_good_copy"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/usecases/moves.py",
        "        require_may_leave(core, current, source)\n",
        "",
        ("tests/simulation/test_evacuation.py", "one_of_three_stays_while_another_one_is_dead"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_copies.py",
        'if c.state == "Connected"]',
        "]",
        (_DRBD, "may_be_the_last_copy_is_kept"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_copies.py",
        'LACKING = ("Off", "StartingSyncS", "WFBitMapS", "SyncSource", "PausedSyncS", "Ahead")',
        'LACKING = ("Off",)',
        (_DRBD, "may_be_the_last_copy_is_kept"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        "return below is None or below not in self.generations or self.generations[below] is not None",
        "return below is not None and self.generations.get(below) is not None",
        (_LAST, "stays_while_no_other_copy_is_seen or by_the_device_without_it"),
    ),
    Breach(
        LAST,
        DRBD,
        "core/orlop/satellite/observe.py",
        "path[0].presence in (Presence.READY, Presence.HIDDEN)",
        "path[0].presence is Presence.READY",
        (_LAST, "stays_while_no_other_copy_is_seen"),
    ),
    Breach(
        LAST,
        DRBD,
        "core/orlop/satellite/plan.py",
        "        if (at := _unjudged(item, stack)) is not None:",
        "        if (at := None) is not None:",
        (_LAST, "compared_with_others_before_it_goes"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_copies.py",
        "    return [*map(still_another, volumes), *noted]",
        "    return [step for each, note in zip(volumes, noted) for step in (still_another(each), note)]",
        ("tests/plugins/test_drbd9.py", "each_is_judged_before"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        "return self._is_guarded(volume, at.below) and self._successor(volume) is None",
        "return False",
        (_LAST, "compared_with_others_before_it_goes or all_volumes_are_judged"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd.py",
        "if order.verb is ReplicaVerb.PRIMARY and not any(volume.wanted for volume in volumes):",
        "if False:",
        (_DRBD, "to_go_is_not_made_primary"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_config.py",
        'LEAVING: Mapping[str, str] = {"auto-promote": "no"}',
        "LEAVING: Mapping[str, str] = {}",
        (_LAST, "to_be_judged_is_not_for_use"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/usecases/replicating.py",
        "    if not any(is_up_to_date(core, definition, other) for other in others):",
        "    if not others:",
        (_REPLICATION, "last_good_copy_is_not_deleted"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{LAYERS}/drbd_operations.py",
        "        if not whole:",
        "        if False:",
        (_OPERATIONS, "node_itself_refuses_to_invalidate"),
    ),
    Breach(
        LAST,
        DRBD,
        f"{CONTROLLER}/usecases/operating.py",
        "        if not sources:",
        "        if False:",
        (_OPERATIONS, "only_good_copy_is_not_invalidated"),
    ),
    Breach(
        UNSEEN,
        DRBD,
        f"{LAYERS}/drbd_look.py",
        "at.below is None or not at.ready or",
        "at.below is None or",
        (_DRBD, "what_is_closed_below_is_not_looked_at"),
    ),
    Breach(
        UNSEEN,
        DRBD,
        f"{LAYERS}/drbd.py",
        "            raise CannotRead(problem)",
        "            pass",
        (_DRBD, "metadata_could_not_be_read"),
    ),
    Breach(
        SYNC,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        "    if drbd.first:\n        return drbd_metadata.declare_first",
        "    if True:\n        return drbd_metadata.declare_first",
        (_DRBD, "only_the_first_replica_declares"),
    ),
    Breach(
        SYNC,
        DRBD,
        f"{CONTROLLER}/initial_sync.py",
        'FIT = ("DRBD", "STORAGE")',
        'FIT = ("DRBD", "LUKS", "STORAGE")',
        (_SYNC, "above_luks or read_as_zeros"),
    ),
    Breach(
        SYNC,
        DRBD,
        f"{CONTROLLER}/initial_sync.py",
        "if not first.equal or first.source is not None:",
        "if False:",
        (_SYNC, "there_is_no_day0 or snapshot_is_not_blank"),
    ),
    Breach(
        SPLIT,
        DRBD,
        f"{CONTROLLER}/usecases/split_brains.py",
        "    guards.unused(core, definition, [victim], ",
        "    str((core, definition, [victim])), str(",
        (_OPERATIONS, "victim_in_use_keeps_its_data"),
    ),
    Breach(
        SPLIT,
        DRBD,
        f"{CONTROLLER}/usecases/split_brains.py",
        "        _require_whole(core, definition, victim, survivor)",
        "        pass",
        (_OPERATIONS, "survivor_that_is_not_whole"),
    ),
    Breach(
        SPLIT,
        DRBD,
        f"{LAYERS}/drbd_operations.py",
        'if resource.role == "Primary":\n        raise Refused(\n            f"{resource.name} is primary here; noth',
        'if False:\n        raise Refused(\n            f"{resource.name} is primary here; noth',
        (_OPERATIONS, "node_itself_gives_up_nothing_while_it_is_primary"),
    ),
    Breach(
        SPLIT,
        DRBD,
        f"{LAYERS}/drbd_observed.py",
        "tuple(peer for peer in drbd.replica.peers if peer.connected)",
        "drbd.replica.peers",
        (_OPERATIONS, "disconnection_lasts or options_do_not_connect"),
    ),
)


def _breaks(breach: Breach) -> bool:
    """Whether the tests notice, in a copy of the tree."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".git", ".venv", "dist", "__pycache__", ".*_cache"))
        file = tree / breach.file
        file.write_text(file.read_text().replace(breach.was, breach.broken))
        path = os.pathsep.join(str(tree / part) for part in PARTS)
        where, words = breach.seen_by
        argv = [sys.executable, "-m", "pytest", "-q", "-n0", "-x", "-p", "no:cacheprovider", where, "-k", words]
        done = subprocess.run(argv, cwd=tree, env={**os.environ, "PYTHONPATH": path}, capture_output=True, check=False)
        return done.returncode == 1


def main() -> None:
    unnoticed = 0
    for breach in BREACHES:
        noticed = _breaks(breach)
        unnoticed += not noticed
        print(f"{'seen' if noticed else 'NOT SEEN'}: {breach.layer}: {breach.rule}: {breach.seen_by[1]}", flush=True)
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
