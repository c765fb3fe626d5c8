"""The groups of the language: where they are, how they may be called, and a line of help each.

Their modules are imported when they are used, so that a command costs only what it needs.
"""

from orlop.cli.grammar import Later

_ROOT = "orlop.cli.commands"

GROUPS = {
    "advise": Later(f"{_ROOT}.advise", ("adv",), "Find resources that need attention."),
    "backup": Later(f"{_ROOT}.backup", ("b",), "Backups of resources on remotes."),
    "completion": Later(f"{_ROOT}.shell", (), "Print the completion script of a shell.", "COMPLETION"),
    "controller": Later(f"{_ROOT}.controller", ("c",), "The controller and the properties of the cluster."),
    "drbd-proxy": Later(f"{_ROOT}.drbd_proxy", ("proxy",), "DRBD Proxy for connections over long distances."),
    "encryption": Later(f"{_ROOT}.encryption", ("e",), "The master passphrase of encrypted volumes."),
    "error-reports": Later(f"{_ROOT}.error_reports", ("err",), "Reports of errors on controller and satellites."),
    "file": Later(f"{_ROOT}.file", ("f",), "Files that satellites are to hold."),
    "gen-zsh-completer": Later(f"{_ROOT}.shell", (), "", "ZSH"),
    "help": Later(f"{_ROOT}.shell", (), "Explain a command.", "EXPLAIN"),
    "interactive": Later(f"{_ROOT}.shell", (), "Begin an interactive session.", "INTERACTIVE"),
    "job": Later(f"{_ROOT}.job", ("j",), "Work that the controller is doing."),
    "key-value-store": Later(f"{_ROOT}.key_value_store", ("kv",), "Stores for pairs of keys and values."),
    "list-commands": Later(f"{_ROOT}.shell", ("commands", "list"), "List all commands.", "COMMANDS"),
    "node": Later(f"{_ROOT}.node", ("n",), "Nodes of the cluster."),
    "node-connection": Later(f"{_ROOT}.node_connection", ("nc",), "Connections between two nodes."),
    "orphan": Later(f"{_ROOT}.orphan", (), "Backing objects that no definition knows."),
    "physical-storage": Later(f"{_ROOT}.physical_storage", ("ps",), "Unused devices of the nodes."),
    "remote": Later(f"{_ROOT}.remote", (), "Other clusters and object stores that hold backups."),
    "resource": Later(f"{_ROOT}.resource", ("r",), "Resources: definitions placed on nodes."),
    "resource-connection": Later(f"{_ROOT}.resource_connection", ("rc",), "Connections of a resource."),
    "resource-definition": Later(f"{_ROOT}.resource_definition", ("rd",), "What a resource looks like."),
    "resource-group": Later(f"{_ROOT}.resource_group", ("rg",), "Templates that resources are spawned from."),
    "schedule": Later(f"{_ROOT}.schedule", ("sched",), "Times at which backups are made."),
    "site": Later(f"{_ROOT}.site", (), "Sites: nodes that are near each other."),
    "snapshot": Later(f"{_ROOT}.snapshot", ("s",), "Snapshots of resources."),
    "sos-report": Later(f"{_ROOT}.sos_report", ("sos",), "Collect logs and states for support."),
    "space-reporting": Later(f"{_ROOT}.space_reporting", ("spr",), "How much space is used."),
    "storage-pool": Later(f"{_ROOT}.storage_pool", ("sp",), "Storage pools of the nodes."),
    "storage-pool-definition": Later(f"{_ROOT}.storage_pool_definition", ("spd",), "What pools of a name share."),
    "volume": Later(f"{_ROOT}.volume", ("v",), "Volumes of the resources."),
    "volume-definition": Later(f"{_ROOT}.volume_definition", ("vd",), "Volumes that a definition has."),
    "volume-group": Later(f"{_ROOT}.volume_group", ("vg",), "Volumes that a resource group's resources get."),
}
