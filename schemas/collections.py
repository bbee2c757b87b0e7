"""One JSON Schema for each kind of record: what a person or program may write, with bounds, without unknown fields."""

from typing import Any

import msgspec

from apex_sync.collection import Collection
from apex_sync.models import COLLECTIONS


def collection_schemas() -> dict[str, dict[str, Any]]:
    """Give the schema of every collection by its name."""
    return {name: _schema(COLLECTIONS[name]) for name in sorted(COLLECTIONS)}


def _schema(collection: Collection) -> dict[str, Any]:
    """Describe the record, the scopes it may stand in, and the roles that may write each of its fields.

    What a device sends by sync is held to types alone: bounds, enumerations and required fields mark a record for
    review.
    """
    schema = msgspec.json.schema(collection.model)
    definitions = schema["$defs"]
    root = definitions.pop(collection.model.__name__)
    for field, described in root["properties"].items():
        described["x-writers"] = sorted(collection.writers.get(field, collection.default_writers))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": collection.name,
        "x-version": collection.version,
        "x-scopes": sorted(collection.scope_kinds),
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": definitions,
    }
