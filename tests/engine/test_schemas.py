"""The committed contracts are those of the code, the golden frames mean what they say, and no schema moves
unnoticed."""

from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from apex_sync.acceptance import Author, accept
from apex_sync.compaction import compact
from apex_sync.digest import digest_bytes, op_hash, record_digest
from apex_sync.document import Document
from apex_sync.errors import ApexError, MalformedOp, MalformedUpdate
from apex_sync.fold import fold
from apex_sync.ids import b64
from apex_sync.models import COLLECTIONS, WORKOUT_LOGS
from apex_sync.op import decode_op, flat_vector, vector_from_flat
from apex_sync.order import order_between, order_keys
from apex_sync.protocol import bucket_of, decode_request, decode_response, encode_message
from apex_sync.testing import hostile
from apex_sync.wire import encode_document, encode_push, encode_refusals, parse_delta, parse_document, parse_push
from schemas.collections import collection_schemas
from schemas.generate import contracts
from schemas.versions import VersionNotRaised, raised_versions, schema_hash

SCHEMAS = Path(__file__).parents[2] / "schemas"


def read(path: str) -> Any:
    return msgspec.json.decode((SCHEMAS / path).read_bytes())


def named(path: str) -> list[Any]:
    vectors = read(path)
    return [pytest.param(vector, id=vector["name"]) for vector in vectors]


@pytest.mark.parametrize("path", contracts((SCHEMAS / "versions.json").read_text()))
def test_what_is_committed_is_what_the_code_says(path: str) -> None:
    """When this fails, run `make schemas`; a vector that changes is a change of the protocol."""
    expected = contracts((SCHEMAS / "versions.json").read_text())[path]
    assert (SCHEMAS / path).read_text() == expected


def test_no_contract_is_left_over() -> None:
    paths = contracts((SCHEMAS / "versions.json").read_text())
    written = {path for path in paths if "/" in path and path.endswith(".json")}
    there = {str(path.relative_to(SCHEMAS)) for path in SCHEMAS.glob("*/*.json")}
    assert there == written


def test_a_schema_that_changes_needs_a_higher_version() -> None:
    schemas = collection_schemas()
    committed = read("versions.json")
    assert raised_versions(committed, schemas) == committed
    changed = deepcopy(schemas)
    changed["workout_logs"]["properties"]["fatigue"]["anyOf"][0]["maximum"] = 11
    with pytest.raises(VersionNotRaised, match="raise `version`") as raised:
        raised_versions(committed, changed)
    assert (raised.value.collection, raised.value.version) == ("workout_logs", COLLECTIONS["workout_logs"].version)
    older = deepcopy(committed)
    older["workout_logs"]["version"] -= 1
    moved = raised_versions(older, changed)["workout_logs"]
    assert moved["schema_sha256"] != committed["workout_logs"]["schema_sha256"]


@pytest.mark.parametrize("what", ["x-writers", "x-scopes", "required"])
def test_who_may_write_and_where_is_part_of_a_schema(what: str) -> None:
    schema = collection_schemas()["check_ins"]
    changed = deepcopy(schema)
    (changed["properties"]["notes"] if what == "x-writers" else changed)[what] = ["coach"]
    assert schema_hash(changed) != schema_hash(schema)


def test_words_about_a_schema_are_no_change_but_fields_of_those_names_are() -> None:
    schema = collection_schemas()["programs"]
    worded = deepcopy(schema)
    worded["description"] = "other words"
    assert schema_hash(worded) == schema_hash(schema)
    del worded["properties"]["description"]
    assert schema_hash(worded) != schema_hash(schema)


@pytest.mark.parametrize("vector", named("vectors/documents.json"))
def test_a_golden_document_means_what_it_says(vector: Any) -> None:
    document = parse_document(bytes.fromhex(vector["hex"]))
    assert document == _document(vector)
    assert (encode_document(document).hex() == vector["hex"]) == vector["canonical"]
    digest = record_digest(UUID(vector["record_id"]).bytes, document)
    assert digest_bytes(digest).hex() == vector["digest"]
    folded = fold(document.writes())
    assert folded.state == vector["state"]
    assert _as_json(folded.conflicts) == vector["conflicts"]
    dead = {client["client_id"]: client["dead"] for client in vector["clients"] if client["dead"]}
    assert {client_id: _as_json(runs) for client_id, runs in document.dead_ranges().items()} == dead


@pytest.mark.parametrize("vector", named("vectors/deltas.json"))
def test_a_golden_delta_means_what_it_says(vector: Any) -> None:
    delta = parse_delta(bytes.fromhex(vector["hex"]), vector_from_flat(vector["known"], author=0))
    assert [
        {
            "client_id": client_id,
            "first_clock": delta.first_clocks[client_id],
            "next_clock": delta.next_clocks[client_id],
            "ops": {str(clock): op.hex() for clock, op in delta.ops[client_id].items()},
        }
        for client_id in sorted(delta.ops)
    ] == vector["brings"]
    assert {each["client_id"]: [tuple(run) for run in each["runs"]] for each in vector["dead"]} == delta.dead


@pytest.mark.parametrize("vector", named("vectors/pushes.json"))
def test_a_golden_push_means_what_it_says(vector: Any) -> None:
    ops = [bytes.fromhex(op) for op in vector["ops"]]
    push = bytes.fromhex(vector["hex"])
    assert parse_push(push, vector["client_id"]) == (vector["first_clock"], ops)
    assert encode_push(vector["client_id"], vector["first_clock"], ops) == push
    assert encode_refusals(vector["client_id"], vector["refused_clocks"]).hex() == vector["dead"]


@pytest.mark.parametrize("vector", named("vectors/ops.json"))
def test_a_golden_op_means_what_it_says(vector: Any) -> None:
    data = bytes.fromhex(vector["hex"])
    writes = decode_op(data, client_id=1, clock=0)
    assert op_hash(data).hex() == vector["hash"]
    assert [{"hlc": write.hlc, "seen": flat_vector(write.seen), "patch": write.patch} for write in writes] == vector[
        "writes"
    ]


@pytest.mark.parametrize("vector", named("vectors/compactions.json"))
def test_a_golden_compaction_changes_nothing_that_people_see(vector: Any) -> None:
    before, after = vector["before"], vector["after"]
    compacted = compact(parse_document(bytes.fromhex(before["hex"])), vector["server_client_id"])
    assert encode_document(compacted.document).hex() == after["hex"]
    assert (before["state"], before["conflicts"]) == (after["state"], after["conflicts"])
    for each in vector["hashes"]:
        hashes = compacted.hashes[each["client_id"]]
        assert {str(clock): value.hex() for clock, value in hashes.items()} == each["hashes"]
    assert len(compacted.hashes) == len(vector["hashes"])


@pytest.mark.parametrize("vector", named("vectors/refused_updates.json"))
def test_a_golden_refused_update_is_refused(vector: Any) -> None:
    with pytest.raises(MalformedUpdate):
        parse_document(bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize("vector", named("vectors/refused_pushes.json"))
def test_a_golden_refused_push_is_refused(vector: Any) -> None:
    with pytest.raises(MalformedUpdate):
        parse_push(bytes.fromhex(vector["hex"]), hostile.ME)


@pytest.mark.parametrize("vector", named("vectors/refused_ops.json"))
def test_a_golden_refused_op_is_refused(vector: Any) -> None:
    with pytest.raises(MalformedOp):
        decode_op(bytes.fromhex(vector["hex"]), client_id=hostile.ME, clock=0, summary_allowed=False)


def test_golden_messages_mean_what_they_say() -> None:
    vectors = read("vectors/messages.json")
    for vector in vectors["requests"]:
        request = decode_request(bytes.fromhex(vector["hex"]))
        assert encode_message(request).hex() == vector["hex"]
        assert _hexed(request) == vector["message"]
    for vector in vectors["responses"]:
        response = decode_response(bytes.fromhex(vector["hex"]))
        assert encode_message(response).hex() == vector["hex"]
        assert _hexed(response) == vector["message"]
    for record in vectors["buckets"]["records"]:
        assert bucket_of(UUID(record["record_id"]).bytes) == record["bucket"]


def test_golden_numbers_mean_what_they_say() -> None:
    numbers = read("vectors/numbers.json")
    assert all(b64(each["number"]) == each["text"] for each in numbers["b64"])
    assert order_keys(3) == numbers["order_keys"]["three"]
    assert order_keys(40) == numbers["order_keys"]["forty"]
    assert all(order_between(each["before"], each["after"]) == each["key"] for each in numbers["order_between"])


def test_the_first_golden_push_is_accepted() -> None:
    vector = read("vectors/pushes.json")[0]
    first, ops = parse_push(bytes.fromhex(vector["hex"]), vector["client_id"])
    author = Author(vector["client_id"], "athlete")
    result = accept(
        Document(), first, ops[:1], author=author, collection=WORKOUT_LOGS, refused={}, now_us=1_772_384_700_000_000
    )
    assert (result.status, result.refusals) == ("applied", [])


def test_every_limit_and_message_is_described() -> None:
    described = read("protocol.json")
    assert described["limits"]["OP_BYTES_MAX"] == 65536
    for message in described["messages"].values():
        assert message["about"]
        assert [field["place"] for field in message["fields"]] == list(range(len(message["fields"])))
    assert issubclass(MalformedUpdate, ApexError)


def _document(vector: Any) -> Document:
    return Document(
        {
            client["client_id"]: {int(clock): bytes.fromhex(op) for clock, op in client["ops"].items()}
            for client in vector["clients"]
        },
        {client["client_id"]: client["next_clock"] for client in vector["clients"]},
    )


def _as_json(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _hexed(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [_hexed(item) for item in value]
    if isinstance(value, msgspec.Struct):
        return {name: _hexed(getattr(value, name)) for name in value.__struct_fields__}
    return value
