"""The server calls nobody whom a user names: only few modules can reach out at all, and only where settings say."""

import ast
from pathlib import Path
from typing import Any

import msgspec

import apex_server

SERVER = Path(apex_server.__file__).parent

CALLERS = {
    "ai/model_wording.py": "asks the language model at APEX_OPENAI_BASE_URL",
    "ai/openai_model.py": "asks the language model at APEX_OPENAI_BASE_URL",
    "mail/smtp.py": "hands mails to the server in APEX_SMTP_URL",
    "messenger": "hands SMS to the provider that the operator chose",
    "serving.py": "asks its own processes whether they are ready; tries its own port",
    "db/postmaster.py": "connects to the Unix socket of its own Postgres",
}
"""Modules that open connections, and to whom."""

NETWORK = {
    "aiohttp", "aiosmtplib", "ftplib", "http.client", "httpcore", "httpx", "requests", "smtplib", "socket", "telnetlib",
    "urllib.request", "urllib3", "websockets",
}  # fmt: skip

ADDRESS_WORDS = ("url", "uri", "href", "webhook", "callback", "endpoint", "host")
NOT_FETCHED = {"thumbnail_url", "url", "video_url"}
"""Fields of requests that hold an address: of photos and videos, kept as text for apps, and never followed here."""


def imported(tree: ast.AST) -> set[str]:
    """Name every module that a module imports, at its top or within."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_only_few_modules_can_reach_out() -> None:
    found = {
        str(file.relative_to(SERVER))
        for file in SERVER.rglob("*.py")
        if any(
            name in NETWORK or name.startswith(tuple(f"{module}." for module in NETWORK))
            for name in imported(ast.parse(file.read_text("utf-8")))
        )
    }
    unknown = {name for name in found if not name.startswith(tuple(CALLERS))}
    assert unknown == set(), "whom do these call, and who says so?"
    assert "serving.py" in found, "the look finds what there is"


def request_fields(document: dict[str, Any]) -> set[str]:
    """Name every field that a request's body or parameters may have."""
    schemas, names, seen = document["components"]["schemas"], set(), set()

    def walk(schema: Any) -> None:
        if not isinstance(schema, dict):
            return
        reference = schema.get("$ref")
        if reference:
            if reference not in seen:
                seen.add(reference)
                walk(schemas[reference.rpartition("/")[2]])
            return
        for name, inner in schema.get("properties", {}).items():
            names.add(name)
            walk(inner)
        for part in ("items", "additionalProperties"):
            walk(schema.get(part))
        for part in ("oneOf", "anyOf", "allOf"):
            for inner in schema.get(part, ()):
                walk(inner)

    for operations in document["paths"].values():
        for operation in operations.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                walk(content.get("schema"))
            names.update(parameter["name"] for parameter in operation.get("parameters", ()))
    return names


def test_no_request_has_a_field_for_an_address() -> None:
    """A new one is either shown only, and listed with that, or a wall is missing."""
    document = msgspec.json.decode(Path("schemas/openapi.json").read_bytes())
    fields = request_fields(document)
    assert len(fields) > 50
    assert {name for name in fields if any(word in name.lower().split("_") for word in ADDRESS_WORDS)} == NOT_FETCHED
