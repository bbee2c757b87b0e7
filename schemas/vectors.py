"""Golden frames: bytes in hex and what they mean, for whoever writes this protocol in another language.

Everything is made from fixed values by the engine itself, so a vector only changes when the format does.
"""

from typing import Any
from uuid import UUID

from apex_sync.compaction import compact
from apex_sync.digest import DIGEST_MODULUS, digest_bytes, op_hash, record_digest
from apex_sync.document import Document
from apex_sync.fold import Claim, fold
from apex_sync.ids import b64
from apex_sync.op import EXACT_INT_MAX, Write, decode_op, encode_op, flat_vector
from apex_sync.order import order_between, order_keys
from apex_sync.testing import hostile
from apex_sync.testing.updates import any_item, binary_item, dead_item, dead_run, delete_set, section, update
from apex_sync.wire import encode_delta, encode_document, encode_push, encode_refusals, parse_document
from schemas.message_vectors import message_vectors

PHONE, WATCH, SERVER = 2**52 + 12_345, 7, 4711
RECORD_ID = UUID("0195a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")
HLC = 1_772_384_700_000_000
SHOWN_BYTES_MAX = 300
"""Longer crafted input is in `apex_sync.testing.hostile`."""


def everything() -> dict[str, Any]:
    """Give every file of vectors by its name."""
    documents = _documents()
    return {
        "numbers": _numbers(),
        "ops": _ops(),
        "documents": [_document(name, hex_bytes) for name, hex_bytes in documents.items()],
        "refused_updates": _refused(hostile.UPDATES),
        "refused_ops": _refused(hostile.OPS),
        "refused_pushes": _refused(hostile.PUSHES),
        "deltas": _deltas(),
        "pushes": _pushes(),
        "compactions": _compactions(),
        "messages": message_vectors(),
    }


def op(hlc: int, patch: dict[str, Any], seen: dict[int, int] | None = None) -> bytes:
    """Write an op of one write."""
    return encode_op([Write(hlc, flat_vector(seen or {}), patch)])


def two_devices() -> Document:
    """Make a record that phone and watch wrote offline, the same leaf among others."""
    document = Document()
    document.append(PHONE, op(HLC, {"title": "Push", "sets": {"k3f9x0": {"reps": 8, "load_kg": 102.5}}}))
    document.append(WATCH, op(HLC + 5, {"sets": {"k3f9x0": {"rpe": 8.5}}}, {PHONE: 1}))
    document.append(PHONE, op(HLC + 10, {"fatigue": 7}))
    document.append(WATCH, op(HLC + 20, {"fatigue": 4}, {PHONE: 1}))
    return document


def _documents() -> dict[str, bytes]:
    refused = two_devices()
    refused.kill(WATCH, 0)
    many = Document()
    many.append_dead(WATCH, 63)
    for number in range(3):
        many.append(WATCH, op(HLC + number, {"fatigue": number}))
    collision = Document()
    collision.append(PHONE, op(HLC, {"x": {"y": {"z": 1}}}))
    collision.append(WATCH, op(HLC + 1, {"x": 5}))
    collision.append(SERVER, op(HLC + 2, {"x": {"w": 2}}, {WATCH: 1}))
    limits = Document()
    limits.append(EXACT_INT_MAX, op(EXACT_INT_MAX, {"exact": EXACT_INT_MAX, "text": "🏋 été", "nothing": None}))
    return {
        "an empty record": encode_document(Document()),
        "phone and watch, with a conflict": encode_document(two_devices()),
        "a refused op is a dead clock": encode_document(refused),
        "keys of one digit and of two, after a dead run": encode_document(many),
        "a leaf that is a map again": encode_document(collision),
        "the largest client id, stamp and integer": encode_document(limits),
        "as yjs writes a Uint8Array": update(section(WATCH, 0, [binary_item(WATCH, 0, op(HLC, {"fatigue": 7}))])),
        "dead items of a plain Yjs peer": update(
            section(WATCH, 0, [dead_item(WATCH, 0), any_item(WATCH, 1, op(HLC, {"fatigue": 7})), dead_run(2)]),
            dead=delete_set((WATCH, [(0, 1), (2, 2)])),
        ),
        "a delete set that descends by client, as yjs may write it": update(
            section(PHONE, 0, [dead_run(1)]),
            section(WATCH, 0, [dead_run(2)]),
            dead=delete_set((PHONE, [(0, 1)]), (WATCH, [(0, 2)])),
        ),
    }


def _document(name: str, wire: bytes) -> dict[str, Any]:
    document = parse_document(wire)
    folded = fold(document.writes())
    return {
        "name": name,
        "hex": wire.hex(),
        "canonical": wire == encode_document(document),
        "record_id": str(RECORD_ID),
        "digest": digest_bytes(record_digest(RECORD_ID.bytes, document)).hex(),
        **_content(document),
        "state": folded.state,
        "conflicts": [
            {
                "path": conflict.path,
                "kept": _claim(conflict.kept) if conflict.kept is not None else None,
                "discarded": [_claim(claim) for claim in conflict.discarded],
            }
            for conflict in folded.conflicts
        ],
    }


def _content(document: Document) -> dict[str, Any]:
    clients = sorted(document.next_clocks)
    return {
        "clients": [
            {
                "client_id": client_id,
                "next_clock": document.next_clocks[client_id],
                "ops": {str(clock): live.hex() for clock, live in document.ops[client_id].items()},
                "dead": document.dead_ranges().get(client_id, []),
            }
            for client_id in clients
        ]
    }


def _claim(claim: Claim) -> dict[str, Any]:
    return {"value": claim.value, "client_id": claim.client_id, "hlc": claim.hlc}


def _ops() -> list[dict[str, Any]]:
    two_writes = [
        Write(HLC, [], {"sets": {"a": {"reps": 8}}}),
        Write(HLC + 1, [WATCH, 3], {"sets": {"a": {"reps": 9}}}),
    ]
    values = {"null": None, "true": True, "zero": 0, "negative": -0.5, "text": "é\\u0000", "list": [1, [{}], {"a": 1}]}
    ops = {
        "one write": op(HLC, {"fatigue": 7}),
        "two writes of one op, the second of which had seen the watch": encode_op(two_writes),
        "every kind of value": op(HLC, values),
        "a float of 32 bits": b"\x91\x93\x0a\x90\x81\xa9weight_kg\xca\x42\xa0\x00\x00",
    }
    return [
        {
            "name": name,
            "hex": data.hex(),
            "hash": op_hash(data).hex(),
            "writes": [
                {"hlc": write.hlc, "seen": flat_vector(write.seen), "patch": write.patch}
                for write in decode_op(data, client_id=PHONE, clock=0)
            ],
        }
        for name, data in ops.items()
    ]


def _deltas() -> list[dict[str, Any]]:
    document = two_devices()
    document.append_dead(PHONE, 2)
    cases = {
        "from nothing, the whole record": {},
        "from the first op of the phone": {PHONE: 1},
        "from the middle of a dead run": {PHONE: 3, WATCH: 1},
        "from everything, only the delete set": dict(document.next_clocks),
    }
    found = []
    for name, known in cases.items():
        delta = document.since(known)
        found.append(
            {
                "name": name,
                "known": flat_vector(known),
                "hex": encode_delta(delta).hex(),
                "brings": [
                    {
                        "client_id": client_id,
                        "first_clock": delta.first_clocks[client_id],
                        "next_clock": delta.next_clocks[client_id],
                        "ops": {str(clock): live.hex() for clock, live in delta.ops[client_id].items()},
                    }
                    for client_id in sorted(delta.ops)
                ],
                "dead": [{"client_id": client_id, "runs": runs} for client_id, runs in sorted(delta.dead.items())],
            }
        )
    return found


def _pushes() -> list[dict[str, Any]]:
    ops = [op(HLC, {"fatigue": 7}), op(HLC + 1, {"notes": "tired"}, {WATCH: 2})]
    return [
        {
            "name": name,
            "client_id": client_id,
            "first_clock": first,
            "ops": [each.hex() for each in ops],
            "hex": encode_push(client_id, first, ops).hex(),
            "refused_clocks": [first],
            "dead": encode_refusals(client_id, [first]).hex(),
        }
        for name, client_id, first in (("the first ops of a record", PHONE, 0), ("later ones", WATCH, 62))
    ]


def _compactions() -> list[dict[str, Any]]:
    document = two_devices()
    document.append(PHONE, op(HLC + 30, {"title": "Push day"}, {WATCH: 2}))
    compacted = compact(document, SERVER)
    return [
        {
            "name": "winners and the unresolved loser survive, with their stamps",
            "before": _document("before", encode_document(document)),
            "server_client_id": SERVER,
            "after": _document("after", encode_document(compacted.document)),
            "hashes": [
                {"client_id": client_id, "hashes": {str(clock): value.hex() for clock, value in hashes.items()}}
                for client_id, hashes in sorted(compacted.hashes.items())
            ],
        }
    ]


def _refused(cases: dict[str, bytes]) -> list[dict[str, Any]]:
    """Give what no reader may take; the ops and pushes are those of client `hostile.ME`, from clock 0 on."""
    return [{"name": name, "hex": data.hex()} for name, data in cases.items() if len(data) <= SHOWN_BYTES_MAX]


def _numbers() -> dict[str, Any]:
    clocks = [0, 9, 10, 35, 36, 61, 62, 63, 64, 4095, 4096, PHONE, EXACT_INT_MAX]
    return {
        "b64": [{"number": number, "text": b64(number)} for number in clocks],
        "order_keys": {"three": order_keys(3), "forty": order_keys(40)},
        "order_between": [
            {"before": before, "after": after, "key": order_between(before, after)}
            for before, after in (
                (None, None),
                ("i", None),
                ("z", None),
                (None, "i"),
                (None, "1"),
                ("1", "2"),
                ("1", "11"),
            )
        ],
        "digest_modulus": str(DIGEST_MODULUS),
    }
