"""Every bound that somebody outside can run into: each route has one, and docs/limits.md says the real ones."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from msgspec.structs import replace

from apex_server.app import create_app
from apex_server.limits.tiers import ANONYMOUS, BUDGETS, TIERS, Tier
from apex_server.settings import Settings
from tests.server.accounts_app import bearer
from tests.server.test_limits_http import register

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "limits.md"
BODY_BYTES_MAX = 8 * 1024 * 1024
"""The largest that any route takes: a bulk import."""
PAGE_LENGTH_MAX = 500
MIB = 1024 * 1024


def routes_with_bodies(app: Litestar) -> Iterator[tuple[str, str, int, bool]]:
    """Give method, address, bound, and whether the handler reads a body at all."""
    for route in app.routes:
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items():
            if method in ("POST", "PUT", "PATCH"):
                parameters = handler.parsed_fn_signature.parameters
                reads = "data" in parameters or route.path == "/api/sync"
                yield method, route.path_format, handler.resolve_request_max_body_size() or 0, reads


def test_every_route_bounds_its_body_and_refuses_one_byte_more(settings: Settings) -> None:
    """Whoever asks, and before anything is made of the body; a new route is found by itself."""
    app = create_app(replace(settings, limits_factor=1e6))
    routes = list(routes_with_bodies(app))
    assert len(routes) > 50
    with TestClient(app) as client:
        people = [bearer(register(client, role, role=role)) for role in ("athlete", "coach")]
        for method, path, limit, reads in routes:
            assert 0 < limit <= BODY_BYTES_MAX, path
            if not reads:
                continue
            address = re.sub(r"\{[^}]*\}", "00000000-0000-4000-8000-000000000000", path)
            answers = [
                client.request(method, address, content=b" " * (limit + 1), headers=person | origin(client))
                for person in people
            ]
            assert {answer.status_code for answer in answers} <= {413, 403}, (path, [a.text for a in answers])
            assert any(answer.status_code == 413 for answer in answers), path


def origin(client: TestClient[Any]) -> dict[str, str]:
    return {"Content-Type": "application/json", "Origin": str(client.base_url).rstrip("/")}


def test_every_list_bounds_its_pages(settings: Settings) -> None:
    schema = create_app(settings).openapi_schema.to_schema()
    bounds = [
        parameter["schema"].get("maximum")
        for operations in schema["paths"].values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["name"] == "limit"
    ]
    assert len(bounds) > 8
    assert all(bound is not None and bound <= PAGE_LENGTH_MAX for bound in bounds)


def tables(text: str) -> list[list[list[str]]]:
    """Read the tables of a page: rows of cells, without the head."""
    found = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    return [
        [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.strip().splitlines()[2:]]
        for table in found
    ]


def amounts(tier: Tier) -> list[str]:
    """Write a tier as its row of the page."""
    requests, sync_bytes, cpu_ms, upload_bytes = (tier.allowance(budget).amount for budget in BUDGETS)
    tokens = f"{tier.ai_tokens_per_month // 1_000_000} million" if tier.ai_tokens_per_month else "–"
    return [
        f"`{tier.name}`",
        f"{requests:,.0f}",
        f"{sync_bytes / MIB:,.0f} MiB",
        f"{cpu_ms / 1000:,.0f} s",
        f"{upload_bytes / MIB:,.0f} MiB",
        f"{tier.media_bytes / 1024 / MIB:,.0f} GiB" if tier.media_bytes else "–",
        tokens,
    ]


def test_the_tiers_on_the_page_are_those_of_the_code() -> None:
    tiers = tables(PAGE.read_text())[0]
    assert [row[:7] for row in tiers] == [amounts(tier) for tier in (*TIERS.values(), ANONYMOUS)]


BOUNDS = [row for table in tables(PAGE.read_text())[1:] for row in table if row[0].startswith("`")]


@pytest.mark.parametrize("row", BOUNDS, ids=lambda row: row[0].strip("`"))
def test_a_bound_on_the_page_is_that_of_the_code_and_a_test_holds_it(row: list[str]) -> None:
    """`module.NAME`, its value, what it bounds, and `file::test` of the test that goes red without it."""
    name, value, _, test = (cell.strip("`") for cell in row)
    module, _, constant = name.rpartition(".")
    found = getattr(importlib.import_module(module), constant)
    assert f"{found:,}" == value or f"{found:,.0f}" == value, found
    file, _, function = test.partition("::")
    assert re.search(rf"def {function}\(", (ROOT / "tests" / file).read_text()), test


def test_the_page_lists_enough() -> None:
    assert len(BOUNDS) >= 20
