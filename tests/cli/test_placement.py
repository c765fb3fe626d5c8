"""Explained placements on the command line."""

POOL = {
    "storage_pool_name": "ssd",
    "provider_kind": "LVM",
    "free_kib": 1024**2,
    "chosen": True,
    "rank": 1,
    "score": 1.5,
    "points": {"free space": 1.0, "even fill": 0.5},
}
EXPLANATION = {
    "possible": False,
    "summary": "2 replicas of 1048576 KiB cannot be placed.",
    "wanted": 2,
    "size_kib": 1024**2,
    "policy": "balanced",
    "complete": True,
    "changes": [
        {"steps": ["bring node bravo online", "add 4 KiB to pool ssd on node bravo"]},
        {"steps": ["add 1 node"]},
    ],
    "nodes": [
        {"node_name": "alpha", "replica": True, "pools": [POOL]},
        {"node_name": "bravo", "reasons": ["it is offline"]},
    ],
}


def test_a_placement_is_explained_in_a_sentence_a_table_and_what_would_help(orlop):
    orlop.answers["explain-placement"] = (200, EXPLANATION)
    done = orlop("resource-definition explain-placement web --place-count 2 --policy pack --replicas-on-different zone")
    assert done.requests == [
        'POST /v1/orlop/resource-definitions/web/explain-placement {"select_filter":{"place_count":2,'
        '"replicas_on_different":["Aux/zone"],"placement_policy":"pack"}}'
    ]
    for words in (
        "2 replicas of 1048576 KiB cannot be placed.",
        "Policy: balanced; each replica takes 1 GiB",
        "even fill 0.5",
        "1.500",
        "chosen",
        "it is offline",
        "would make it succeed: bring node bravo online and add 4 KiB to pool ssd on node bravo.",
        "Or: add 1 node.",
    ):
        assert words in done.out


def test_what_a_group_would_spawn_is_asked_with_sizes(orlop):
    orlop.answers["explain-placement"] = (200, EXPLANATION | {"complete": False})
    done = orlop("resource-group explain-placement fast 1G 4M")
    assert done.requests == [
        'POST /v1/orlop/resource-groups/fast/explain-placement {"select_filter":{},"volume_sizes":[1048576,4096]}'
    ]
    assert "a better one may exist" in done.out
    assert orlop("--machine-readable resource-group explain-placement fast 1G").json[0]["policy"] == "balanced"


def test_the_free_space_for_a_redundancy(orlop):
    orlop.answers["free-space"] = (
        200,
        {
            "redundancy": 3,
            "max_volume_size_kib": 1024**2,
            "free_kib": 1024**2 + 4,
            "available_kib": 2 * 1024**2,
            "total_kib": 4 * 1024**2,
            "layer_stack": ["DRBD", "STORAGE"],
            "node_names": ["alpha", "bravo"],
        },
    )
    done = orlop("space-reporting free-space --redundancy 3 --storage-pools ssd --resource-group fast")
    assert done.requests == ["GET /v1/orlop/free-space?redundancy=3&storage_pools=ssd&resource_group=fast"]
    assert "Largest volume kept 3 times: 1 GiB" in done.out
    assert "alpha, bravo (layers DRBD, STORAGE)" in done.out
    assert orlop("--machine-readable space-reporting free-space").json[0]["redundancy"] == 3
