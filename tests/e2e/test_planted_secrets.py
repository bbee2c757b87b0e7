"""Secrets planted in every header and field of every endpoint of a real server reach none of its logs."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.test_serve_command import command, environment, until_ready
from tests.e2e.whole_server import free_port

PLANTED = "xylophone-hunter2-marimba"
PLANTED_PASSWORD = "glockenspiel 77 staple vibraphone"
PLANTED_NAME = "celesta-tuba"
METHODS = ("get", "post", "put", "patch", "delete")
HEADERS = {
    name: PLANTED
    for name in (
        "Authorization", "X-CSRF-Token", "Idempotency-Key", "If-Match", "User-Agent", "Referer", "X-Forwarded-For",
        "X-Request-Id", "X-Apex-Fragment",
    )
}  # fmt: skip


@contextlib.contextmanager
def logging_server(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run `apex-server serve` with all it can log; gives its address and where that goes."""
    port, output = free_port(), folder / "output.log"
    settings = {**environment(), "APEX_LOG_LEVEL": "debug"}
    with output.open("wb") as file:
        server = subprocess.Popen(command(folder / "data", port), env=settings, stdout=file, stderr=file)
        try:
            until_ready(port)
            yield f"http://127.0.0.1:{port}", output
        finally:
            server.terminate()
            server.wait(30)


def body_of(schema: dict[str, Any], schemas: dict[str, Any], depth: int = 0) -> Any:
    """Give a body in which every text is the planted one."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    for choice in ("oneOf", "anyOf", "allOf"):
        if choice in schema:
            schema = next((each for each in schema[choice] if each.get("type") != "null"), schema)
            return body_of(schema, schemas, depth + 1) if depth < 8 else PLANTED
    match schema.get("type"):
        case "object" if depth < 8:
            return {
                PLANTED: PLANTED,
                **{name: body_of(inner, schemas, depth + 1) for name, inner in schema.get("properties", {}).items()},
            }
        case "array" if depth < 8:
            return [body_of(schema.get("items", {}), schemas, depth + 1)]
        case "integer" | "number":
            return 1
        case "boolean":
            return True
    return schema.get("enum", [PLANTED])[0]


def plant_everywhere(client: httpx.Client, headers: dict[str, str]) -> int:
    """Call every endpoint with the planted text in everything it takes; give the number of calls."""
    document = client.get("/schema/openapi.json").json()
    schemas, calls = document["components"]["schemas"], 0
    for path, operations in document["paths"].items():
        for method in METHODS:
            operation = operations.get(method)
            if operation is None:
                continue
            content = operation.get("requestBody", {}).get("content", {})
            body = body_of(next(iter(content.values()))["schema"], schemas) if content else None
            query = {each["name"]: PLANTED for each in operation.get("parameters", ()) if each["in"] == "query"}
            address = path.replace("{", "").replace("}", "")
            call(client, method, address, headers, params=query or {PLANTED: PLANTED}, json=body)
            call(client, method, address, headers, content=f'{{"password": "{PLANTED}", '.encode())
            calls += 2
    return calls


def call(client: httpx.Client, method: str, address: str, headers: dict[str, str], **more: Any) -> None:
    """Send a request, and read no more of the answer than its head: one of them is a stream of events."""
    with client.stream(method, address, headers=headers, **more):
        pass


@pytest.mark.slow
def test_no_secret_reaches_the_logs(tmp_path: Path) -> None:
    with logging_server(tmp_path) as (address, output), httpx.Client(base_url=address, timeout=30) as client:
        account = {
            "email": f"{PLANTED_NAME}@example.com",
            "password": PLANTED_PASSWORD,
            "name": PLANTED_NAME,
            "role": "coach",
        }
        signed_in = client.post("/api/auth/register", json=account)
        assert signed_in.status_code == 201, signed_in.text
        tokens = [signed_in.json()[name] for name in ("access_token", "refresh_token", "device_token")]
        client.post("/api/auth/login", json={**account, "password": f"wrong {PLANTED_PASSWORD}"})
        client.post("/api/auth/refresh", json={"refresh_token": tokens[1], "device_token": tokens[2]})
        client.get(f"/no/such/{PLANTED}?{PLANTED}={PLANTED}")
        assert plant_everywhere(client, HEADERS) > 60
        assert plant_everywhere(client, {**HEADERS, "Authorization": f"Bearer {tokens[0]}"}) > 60
        client.get("/", headers={"Cookie": f"apex_access={PLANTED}; apex_refresh={PLANTED}; {PLANTED}={PLANTED}"})
    logged = output.read_text()
    assert '"event": "request"' in logged, "the logs are looked at that there are"
    for secret in (PLANTED, "marimba", PLANTED_PASSWORD, "vibraphone", PLANTED_NAME, *tokens):
        assert secret not in logged, next(line for line in logged.splitlines() if secret in line)
