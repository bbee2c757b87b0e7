"""Structured logs: one JSON object a line on standard error, or readable lines on a terminal.

Every request is one line with method, route, status and milliseconds; never with a body, a token or a query string.
Whatever else is logged goes through `redaction`.
"""

import logging
import sys
import time
from typing import Any

import structlog
from litestar.enums import ScopeType
from litestar.exceptions import WebSocketException
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from apex_server.redaction import hide_secrets, safe_traceback
from apex_server.settings import LogLevel

__all__ = ["configure_logs", "log_socket_failure", "request_log"]

_log = structlog.get_logger("apex.request")

UNROUTED = "nowhere"
"""Stands for an address that does not exist: what was typed there may have been meant for another field."""

_QUIET_PATHS = frozenset({"/health", "/ready", "/metrics"})
"""Asked every few seconds by machines; logged only when they fail."""


def configure_logs(level: LogLevel) -> None:
    """Send everything, the libraries' own records too, through structlog at this level."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    terminal = sys.stderr.isatty()
    renderer: Any = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    finish: list[Any] = [
        structlog.processors.StackInfoRenderer(),
        structlog.processors.ExceptionRenderer(safe_traceback),
        hide_secrets,
    ]
    logging.raiseExceptions = False  # A line that cannot be formatted is otherwise printed with all that was in it.
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # A cached logger would keep to these processors when a process configures its logs again, as tests do.
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish, renderer],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in ("httpx", "httpcore", "asyncio", "_granian", "granian.access"):
        logging.getLogger(name).setLevel(logging.WARNING)


def request_log(app: ASGIApp) -> ASGIApp:
    """Log each HTTP request when it has been answered."""

    async def logged(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def remember_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await app(scope, receive, remember_status)
        finally:
            if scope["path"] not in _QUIET_PATHS or status >= 400:
                _log.info(
                    "request",
                    method=scope.get("method", ""),
                    route=scope.get("path_template") or UNROUTED,
                    status=status,
                    milliseconds=round((time.perf_counter() - started) * 1000, 1),
                )

    return logged


async def log_socket_failure(error: Exception, scope: Scope) -> None:
    """Log why a WebSocket failed: the other side only sees that it was closed."""
    if scope["type"] == ScopeType.WEBSOCKET and not isinstance(error, WebSocketException):
        _log.error("socket_failed", route=scope.get("path_template") or UNROUTED, exc_info=error)
