"""The headers that every answer bears, whatever made it: a page, the API, a refusal, an address that does not exist.

They are added last, where an answer has none of its own: what nobody thought of is not kept by caches, not shown in
frames, not guessed to be a script, and loads nothing. Pages say for themselves what they may load.
"""

from litestar.config.cors import CORSConfig
from litestar.enums import ScopeType
from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from apex_server.settings import Settings

__all__ = ["cors_of", "hardened_headers"]

HTTPS_SECONDS = 2 * 365 * 86_400
"""How long a browser that came over HTTPS comes over nothing else; two years, as browsers' own lists want it."""

ALWAYS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

PREFLIGHT_SECONDS = 600
"""How long a browser may believe that another origin is allowed."""


def hardened_headers(settings: Settings) -> BeforeMessageSendHookHandler:
    """Give the hook that adds what an answer lacks."""
    wanted = dict(ALWAYS)
    if settings.is_https:
        wanted["strict-transport-security"] = f"max-age={HTTPS_SECONDS}; includeSubDomains"
    encoded = [(name.encode(), value.encode()) for name, value in wanted.items()]

    async def add(message: Message, scope: Scope) -> None:
        if message["type"] != "http.response.start" or scope["type"] != ScopeType.HTTP:
            return
        headers = list(message["headers"])
        there = {name.lower() for name, _ in headers}
        message["headers"] = [*headers, *(header for header in encoded if header[0] not in there)]

    return add


def cors_of(settings: Settings) -> CORSConfig | None:
    """Let pages of the origins that were named call the API with a token; never with this server's cookies."""
    if not settings.allowed_origins:
        return None
    return CORSConfig(
        allow_origins=settings.allowed_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key"],
        expose_headers=["ETag", "Location", "Retry-After"],
        allow_credentials=False,
        max_age=PREFLIGHT_SECONDS,
    )
