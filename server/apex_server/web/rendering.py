"""Turns templates into answers: everything escaped, nothing inline, nothing from anywhere else.

The content security policy lets a page load from this server alone, and run no script or style that stands in the page
itself; so text of an athlete that slipped past escaping would still be dead text.
"""

import gzip
from hashlib import blake2b
from importlib import resources
from typing import Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import CacheControlHeader
from litestar.enums import MediaType
from litestar.static_files import create_static_files_router

from apex_server.people import PASSWORD_LENGTH_ADVISED, PASSWORD_LENGTH_MAX, PASSWORD_LENGTH_MIN
from apex_server.web import wording
from apex_server.web.icons import icon, origin_mark, origin_name

__all__ = ["FRAGMENT_HEADER", "PAGE_HEADERS", "render", "static_router"]

FRAGMENT_HEADER = "x-apex-fragment"
"""A page that updates itself asks for its main part alone."""

GZIP_LEVEL = 4
"""A page of 200 kB becomes one of 13 kB in 2 ms; there is no secret in it that its length could tell."""

PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types apex"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "Vary": "X-Apex-Fragment, Accept-Encoding",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_static = resources.files(__package__) / "static"


def static_digest() -> str:
    """Name the version of all static files, so that browsers may keep them for a year and never a day too long."""
    digest = blake2b(digest_size=6)
    for file in sorted(_static.iterdir(), key=lambda file: file.name):
        digest.update(file.read_bytes())
    return digest.hexdigest()


_environment = Environment(
    loader=PackageLoader(__package__),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_static_path = f"/static/{static_digest()}"
_environment.globals.update(
    icon=icon,
    origin_mark=origin_mark,
    origin_name=origin_name,
    password_hint=f"At least {PASSWORD_LENGTH_MIN} characters; {PASSWORD_LENGTH_ADVISED} or more are better: "
    "a few words that do not belong together.",
    password_max=PASSWORD_LENGTH_MAX,
    password_min=PASSWORD_LENGTH_MIN,
    static_path=_static_path,
)
_environment.filters.update(
    {name.removeprefix("as_"): getattr(wording, name) for name in wording.__all__ if name.startswith("as_")}
)

static_router = create_static_files_router(
    path=_static_path,
    directories=[str(_static)],
    name="web_static",
    cache_control=CacheControlHeader(max_age=31_536_000, public=True, immutable=True),
    opt={"exclude_from_auth": True},
)


def render(request: Request[Any, Any, Any], template: str, status_code: int = 200, **values: Any) -> Response[bytes]:
    """Render a template as a whole page, or as its main part where the page asks for that."""
    layout = "fragment.html" if FRAGMENT_HEADER in request.headers else "layout.html"
    html = _environment.get_template(template).render(layout=layout, **values).encode()
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(html, media_type=MediaType.HTML, status_code=status_code, headers=PAGE_HEADERS)
    headers = {**PAGE_HEADERS, "Content-Encoding": "gzip"}
    body = gzip.compress(html, GZIP_LEVEL, mtime=0)
    return Response(body, media_type=MediaType.HTML, status_code=status_code, headers=headers)


def read_json(text: str | None) -> Any:
    """Read what Postgres gave as JSON."""
    return msgspec.json.decode(text) if text else []
