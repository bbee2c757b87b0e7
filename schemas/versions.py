"""The version of a kind of record moves whenever its schema does: two sides can tell what the other knows."""

from hashlib import sha256
from typing import Any

import msgspec

from apex_sync.models import COLLECTIONS

Versions = dict[str, dict[str, Any]]
"""By collection: its version, and the SHA-256 of its schema at that version."""

WORDS = ("description", "title", "examples", "x-version")
"""What may change in a schema without any reader noticing."""


class VersionNotRaised(Exception):
    """The schema of a collection is another one than its version had before."""

    def __init__(self, collection: str, version: int) -> None:
        super().__init__(
            f"the schema of {collection!r} has changed, and its version is still {version}: "
            f"raise `version` in its declaration (apex_sync/models) to {version + 1}, then run `make schemas`"
        )
        self.collection = collection
        self.version = version


def raised_versions(committed: Versions, schemas: dict[str, dict[str, Any]]) -> Versions:
    """Give the versions as they are to be committed. Raises VersionNotRaised."""
    now = {
        name: {"version": COLLECTIONS[name].version, "schema_sha256": schema_hash(schema)}
        for name, schema in schemas.items()
    }
    for name, version in now.items():
        before = committed.get(name, version)
        if version["schema_sha256"] != before["schema_sha256"] and version["version"] <= before["version"]:
            raise VersionNotRaised(name, before["version"])
    return now


def schema_hash(schema: dict[str, Any]) -> str:
    """Hash what a schema demands, without the words around it."""
    return sha256(msgspec.json.encode(_demands(schema), order="deterministic")).hexdigest()


def _demands(schema: Any, *, named: bool = False) -> Any:
    """Leave the words out, but not the fields of that name: `named` is a map from names to schemas."""
    if isinstance(schema, list):
        return [_demands(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _demands(value, named=key in ("properties", "$defs") and not named)
        for key, value in schema.items()
        if named or key not in WORDS
    }
