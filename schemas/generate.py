"""All contracts as texts by path; pure, so that a test can compare them with what is committed."""

from pathlib import Path
from typing import Any

import msgspec

from apex_server.app import create_app
from apex_server.openapi_document import openapi_json
from apex_server.settings import Settings
from schemas import vectors
from schemas.api_page import api_page
from schemas.collections import collection_schemas
from schemas.protocol import protocol_description
from schemas.versions import raised_versions

UNOPENED = Settings(data_dir=Path(), secret="of an app that is never served")  # noqa: S106 - it signs nothing.
"""Settings that nothing is opened with."""


def contracts(committed_versions: str) -> dict[str, str]:
    """Give every contract by its path under `schemas/`.

    Raises VersionNotRaised when the schema of a collection is not the committed one, and its version is.
    """
    schemas = collection_schemas()
    description = openapi_json(create_app(UNOPENED))
    return {
        **{f"collections/{name}.json": _text(schema) for name, schema in schemas.items()},
        "versions.json": _text(raised_versions(msgspec.json.decode(committed_versions), schemas)),
        "openapi.json": description,
        "../docs/api.md": api_page(msgspec.json.decode(description)),
        "protocol.json": _text(protocol_description()),
        **{f"vectors/{name}.json": _text(content) for name, content in vectors.everything().items()},
    }


def _text(content: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode() + "\n"
