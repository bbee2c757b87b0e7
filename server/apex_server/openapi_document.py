"""The API description: what the server says of itself at `/schema/openapi.json`, and the copy kept in `schemas/`.

What a handler says of itself is what a reader of the description is told.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Litestar, Request, Router
from litestar.datastructures import ResponseHeader
from litestar.enums import OpenAPIMediaType
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme, Tag
from litestar.routes import HTTPRoute

from apex_server.openapi_examples import with_examples
from apex_server.openapi_page import PAGE_POLICY, ApiPage

__all__ = ["TAGS", "openapi_config", "openapi_json"]

TAGS = [
    Tag("auth", "Accounts and sessions."),
    Tag("devices", "Where people are signed in."),
    Tag("clients", "A coach's athletes, and the invites by which they come."),
    Tag("organisation", "Owners who read along with several coaches."),
    Tag("consents", "What people have consented to, and since when."),
    Tag("privacy", "What was done with a person's data, a copy of all of it, and its end."),
    Tag("support", "Looks of support at people who have let them."),
    Tag("workouts", "What athletes really did. The same records that phone and watch hold, merged from all of them."),
    Tag("checkins", "The athletes' weekly reports, the coach's answers, and the approved analysis."),
    Tag("programs", "Templates, and the programs that athletes follow."),
    Tag("exercises", "The built-in library of exercises, and what coaches add to it."),
    Tag("progress", "Body metrics and photos, and what they look like over time."),
    Tag("media", "Photos, recordings and files: handed in part by part, looked at, sealed, and read by who may."),
    Tag("nutrition", "What athletes eat, what they are asked to eat, and the library of foods."),
    Tag("analytics", "What training adds up to, counted anew from the logs each time."),
    Tag("messages", "What a coach and an athlete write to each other, and nobody else reads."),
    Tag("insights", "What the analysis found, for the coach to approve or dismiss."),
    Tag("sync", "The exchange of devices that hold replicas, over HTTP and live."),
    Tag("operation", "For whoever runs the server."),
]
"""What each group of endpoints is about, in the order in which they are shown."""


SECURITY = Components(
    security_schemes={
        "access_token": SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="The `access_token` of `POST /api/auth/login`, good for minutes; `refresh` gives the next one.",
        ),
        "session_cookie": SecurityScheme(
            type="apiKey",
            security_scheme_in="cookie",
            name="__Host-apex_access",
            description="What a browser is given at sign-in. Requests that change something send `X-CSRF-Token`, too.",
        ),
    }
)


def openapi_config() -> OpenAPIConfig:
    """Give what the composition root passes to Litestar."""
    return OpenAPIConfig(
        title="Apex Sync",
        version="1",
        tags=TAGS,
        components=SECURITY,
        security=[{name: []} for name in SECURITY.security_schemes or {}],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        render_plugins=[
            ApiPage(path="/"),
            Description(path="/openapi.json", media_type=OpenAPIMediaType.OPENAPI_JSON),
        ],
        openapi_router=Router(
            "/schema",
            route_handlers=[],
            opt={"exclude_from_auth": True},
            include_in_schema=False,
            response_headers=[ResponseHeader(name="Content-Security-Policy", value=PAGE_POLICY)],
        ),
    )


def openapi_json(app: Litestar) -> str:
    """Write the API description of an app as JSON: the same text for the same app, ending in a newline."""
    document = msgspec.json.encode(described(app), order="deterministic")
    return msgspec.json.format(document, indent=2).decode() + "\n"


def described(app: Litestar) -> dict[str, Any]:
    """Describe an app: with an example for each body and answer, and who need not sign in for what."""
    description = with_examples(app.openapi_schema.to_schema())
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            methods = description["paths"].get(route.path_format, {})
            for handler in route.route_handlers:
                for method in {each.lower() for each in handler.http_methods} & methods.keys():
                    _complete(methods[method], handler.opt)
    return description


def _complete(operation: dict[str, Any], options: Mapping[str, Any]) -> None:
    if "exclude_from_auth" in options:
        operation["security"] = []
    if "example" in options:  # Of one operation: another that takes the same type has its own.
        for content in operation["requestBody"]["content"].values():
            content["schema"] = {"allOf": [content["schema"]], "examples": [options["example"]]}
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "path":
            # A filter that is part of the address is never left out, though as a filter it may be.
            parameter["schema"] = next(iter(parameter["schema"].get("oneOf", [parameter["schema"]])))


class Description(OpenAPIRenderPlugin):
    """The description as JSON."""

    _made: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """Give the description, made once for a process."""
        if self._made is None:
            self._made = msgspec.json.encode(described(request.app))
        return self._made
