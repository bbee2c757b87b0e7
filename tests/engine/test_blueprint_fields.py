"""Each field of the blueprint's models is a leaf, or derived by code that is there, or has a reason."""

import importlib
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import pytest
from msgspec import Struct

from apex_sync.models import COLLECTIONS
from tests.engine.blueprint_fields import FIELDS


class Field(NamedTuple):
    """One line of the table."""

    model: str
    name: str
    sign: str
    rest: str


def fields() -> Iterator[Field]:
    for model, table in FIELDS.items():
        for line in table.strip().splitlines():
            name, sign, rest = line.strip().split(" ", 2)
            yield Field(model, name, sign, rest)


def leaves() -> set[str]:
    """List every leaf of every collection by its path, without the keys of maps."""
    found: set[str] = set()

    def walk(kind: Any, path: str) -> None:
        if isinstance(kind, type) and issubclass(kind, Struct):
            for name, inner in get_type_hints(kind, include_extras=True).items():
                found.add(f"{path}.{name}")
                walk(inner, f"{path}.{name}")
        elif get_origin(kind) is Annotated:
            walk(get_args(kind)[0], path)
        elif get_args(kind):
            for part in get_args(kind):
                walk(part, path)

    for name, collection in COLLECTIONS.items():
        walk(collection.model, name)
    return found


LEAVES = leaves()


def is_code(name: str) -> bool:
    module, _, function = name.rpartition(".")
    return name.startswith("apex_sync.") and callable(getattr(importlib.import_module(module), function, None))


@pytest.mark.parametrize("field", list(fields()), ids=lambda field: f"{field.model}.{field.name}")
def test_a_field_of_the_blueprint_is_here(field: Field) -> None:
    if field.sign == "=":
        assert set(field.rest.split()) <= LEAVES
    elif field.sign == "<":
        assert all(name in LEAVES or is_code(name) for name in field.rest.split())
    else:
        assert field.sign == ":" and field.rest


def test_no_field_is_named_twice() -> None:
    named = [(field.model, field.name) for field in fields()]
    assert len(named) == len(set(named))
    assert len(named) > 200


def test_a_leaf_that_is_not_there_is_noticed() -> None:
    assert "profiles.injuries.area" in LEAVES and "profiles.injuries.colour" not in LEAVES
    assert not is_code("apex_sync.coaching.nutrition.nothing")
