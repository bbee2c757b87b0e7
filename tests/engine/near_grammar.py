"""Updates that are in the grammar, or one deviation away from it."""

from typing import Any

from hypothesis import strategies as st

from apex_sync.testing.updates import (
    any_item,
    binary_item,
    dead_item,
    dead_run,
    delete_set,
    section,
    skip,
    text,
    update,
    varint,
)

CLIENT_IDS = st.sampled_from([1, 2, 7, 127, 128, 2**32, 2**53 - 1])
KINDS = st.sampled_from(["any", "binary", "dead item", "dead run"])

STRUCT_DEVIATIONS = [
    "another clock",
    "another client",
    "another root",
    "no op",
    "skip",
    "empty run",
    "two runs",
    "two values",
    "origin",
    "long dead item",
]
WHOLE_DEVIATIONS = [
    "count one more",
    "count one less",
    "starts later",
    "clients turned round",
    "a client twice",
    "a byte more",
    "a byte less",
    "padded number",
    "nothing dead",
    "more dead",
    "less dead",
    "dead in pieces",
    "dead ascending",
    "dead descending",
]


@st.composite
def near_grammar(draw: st.DrawFn) -> bytes:
    """Draw an update; about half of them are in the grammar."""
    deviation = draw(st.none() | st.sampled_from([*STRUCT_DEVIATIONS, *WHOLE_DEVIATIONS]))
    clients = sorted(draw(st.sets(CLIENT_IDS, min_size=1, max_size=3)), reverse=True)
    sections, dead = [], []
    for client_id in clients:
        structs, runs = _structs(draw, client_id, deviation if client_id == clients[0] else None)
        count = len(structs) + {"count one more": 1, "count one less": -1}.get(deviation or "", 0)
        sections.append(section(client_id, int(deviation == "starts later"), structs, count=count))
        if runs:
            dead.append((client_id, runs))
    if deviation == "clients turned round":
        sections.reverse()
    if deviation == "a client twice":
        sections.append(sections[-1])
    data = update(*sections, dead=delete_set(*_dead(dead, deviation)))
    match deviation:
        case "a byte more":
            return data + b"\x00"
        case "a byte less":
            return data[:-1]
        case "padded number":
            return varint(len(sections), padding=1) + data[1:]
    return data


def _structs(draw: st.DrawFn, client_id: int, deviation: str | None) -> tuple[list[bytes], list[tuple[int, int]]]:
    """Draw the structs of a client and the runs of its dead clocks, as (start, length)."""
    kinds = draw(st.lists(KINDS, min_size=1, max_size=6))
    kinds = [kind for place, kind in enumerate(kinds) if kind != "dead run" or kinds[place - 1 : place] != ["dead run"]]
    odd_one = draw(st.integers(0, len(kinds) - 1))
    structs: list[bytes] = []
    runs: list[tuple[int, int]] = []
    clock = 0
    for place, kind in enumerate(kinds):
        length = draw(st.integers(1, 130)) if kind == "dead run" else 1
        op = draw(st.binary(min_size=1, max_size=6))
        structs.append(_struct(kind, client_id, clock, length, op))
        if place == odd_one and deviation in STRUCT_DEVIATIONS:
            structs[-1:] = _deviant(deviation, client_id, clock, op)
        if kind.startswith("dead"):
            if runs and sum(runs[-1]) == clock:
                runs[-1] = (runs[-1][0], runs[-1][1] + length)
            else:
                runs.append((clock, length))
        clock += length
    return structs, runs


def _struct(kind: str, client_id: int, clock: int, length: int, op: bytes) -> bytes:
    match kind:
        case "any":
            return any_item(client_id, clock, op)
        case "binary":
            return binary_item(client_id, clock, op)
        case "dead item":
            return dead_item(client_id, clock)
    return dead_run(length)


def _deviant(deviation: str, client_id: int, clock: int, op: bytes) -> list[bytes]:
    item = any_item(client_id, clock, op)
    deviants: dict[str, list[bytes]] = {
        "another clock": [any_item(client_id, clock + 1, op)],
        "another client": [any_item(client_id + 1, clock, op)],
        "another root": [any_item(client_id, clock, op, root="p")],
        "no op": [any_item(client_id, clock, b"")],
        "skip": [skip(1)],
        "empty run": [dead_run(0)],
        "two runs": [dead_run(1), dead_run(1)],
        "two values": [item[: -len(text(op)) - 2] + b"\x02" + (b"\x74" + text(op)) * 2],
        "origin": [bytes([item[0] | 0x80]) + item[1:]],
        "long dead item": [dead_item(client_id, clock, 2)],
    }
    return deviants[deviation]


def _dead(dead: list[tuple[int, Any]], deviation: str | None) -> list[tuple[int, list[tuple[int, int]]]]:
    match deviation:
        case "nothing dead":
            return []
        case "more dead":
            return [*dead, (3, [(0, 1)])]
        case "less dead":
            return dead[1:]
        case "dead in pieces":
            return [
                (
                    client,
                    [piece for start, length in runs for piece in [(start, 1), (start + 1, length - 1)] if piece[1]],
                )
                for client, runs in dead
            ]
        case "dead ascending":
            return sorted(dead)
        case "dead descending":
            return sorted(dead, reverse=True)
    return dead
