"""The page at `/schema`, from which every operation can be called: Swagger UI, served by this server.

It works without a network, and tells nobody. What it is made of comes from the package `swagger-ui-py`.
"""

from functools import cache
from importlib import resources
from typing import Any

from litestar import Request, Response, Router, get
from litestar.openapi.plugins import OpenAPIRenderPlugin

__all__ = ["PAGE_POLICY", "ApiPage"]

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Swagger UI has its icons in its style sheet; nothing comes from anywhere else."""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Apex Sync API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/schema/swagger-ui.css">
</head>
<body>
<noscript>This page needs JavaScript; the description itself is <a href="/schema/openapi.json">here</a>.</noscript>
<div id="api"></div>
<script src="/schema/swagger-ui-bundle.js"></script>
<script src="/schema/start.js"></script>
</body>
</html>
"""

START = """\
SwaggerUIBundle({
  url: "/schema/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  filter: true,
  validatorUrl: null,
});
"""

MEDIA_TYPES = {
    "/schema/start.js": "text/javascript",
    "/schema/swagger-ui-bundle.js": "text/javascript",
    "/schema/swagger-ui.css": "text/css",
}


class ApiPage(OpenAPIRenderPlugin):
    """The page, and beside it what it loads."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Give the page."""
        return PAGE.encode()

    def receive_router(self, router: Router) -> None:
        """Serve what the page loads."""
        router.register(page_part)


@get([path.removeprefix("/schema") for path in MEDIA_TYPES], sync_to_thread=False)
def page_part(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Serve a script or the style of the page; it may be kept, and is asked for again after an hour."""
    path = request.url.path
    return Response(_part(path), media_type=MEDIA_TYPES[path], headers={"Cache-Control": "public, max-age=3600"})


@cache
def _part(path: str) -> bytes:
    name = path.rpartition("/")[2]
    return START.encode() if name == "start.js" else (resources.files("swagger_ui") / "static" / name).read_bytes()
