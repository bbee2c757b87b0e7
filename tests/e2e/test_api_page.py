"""The page at `/schema`: every operation, tried out in a browser that reaches no other host."""

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.whole_server import WholeServer

pytestmark = pytest.mark.needs_chromium

LOADED_MS = 60_000
"""Reading a megabyte of description takes Swagger UI seconds, and more on a busy machine."""


def test_an_operation_is_tried_out_and_nothing_comes_from_elsewhere(page: Page, server: WholeServer) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{server.address}/schema#/operation/health")
    expect(page.get_by_role("heading", name="Apex Sync")).to_be_visible(timeout=LOADED_MS)
    page.get_by_role("button", name="Try it out").click(timeout=LOADED_MS)
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table")).to_contain_text('"status": "ok"')
    assert all(url.startswith((server.address, "data:")) for url in asked), asked


def test_it_can_be_signed_in_to_with_an_access_token(page: Page, server: WholeServer) -> None:
    page.goto(f"{server.address}/schema")
    page.get_by_role("button", name="Authorize").click(timeout=LOADED_MS)
    expect(page.locator(".auth-container").first).to_contain_text("access_token")
