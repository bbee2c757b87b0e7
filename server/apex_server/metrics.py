"""`/metrics` for Prometheus: read by this machine alone, or by whoever shows APEX_METRICS_TOKEN.

They hold no name and no content, but tell how many people do what and when.
"""

import hmac
import ipaddress
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.plugins.prometheus import PrometheusController

from apex_server.errors import MetricsRefused
from apex_server.settings import Settings

__all__ = ["Metrics"]

FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-real-ip")
"""Headers of a proxy: whoever asks is then not whoever is connected."""

_Connection = ASGIConnection[Any, Any, Any, Any]


def require_scraper(connection: _Connection, _handler: BaseRouteHandler) -> None:
    """Return when whoever asks may read the metrics. Raises MetricsRefused."""
    settings: Settings = connection.app.state.settings
    if settings.metrics_token is not None:
        shown = connection.headers.get("authorization", "").encode()
        allowed = hmac.compare_digest(shown, f"Bearer {settings.metrics_token}".encode())
    else:
        allowed = from_this_machine(connection, settings)
    if not allowed:
        raise MetricsRefused


class Metrics(PrometheusController):
    """Metrics for Prometheus."""

    path = "/metrics"
    guards = [require_scraper]  # noqa: RUF012 - the framework reads these from the class.
    include_in_schema = False
    opt = {"exclude_from_auth": True}  # noqa: RUF012


def from_this_machine(connection: _Connection, settings: Settings) -> bool:
    """Tell whether a process of this machine asks, and no proxy for somebody else.

    A proxy on the same machine need not say so in a header; where browsers come by another address, one is assumed.
    """
    if settings.public_url is not None and not settings.speaks_tls:
        return False
    if connection.client is None or any(name in connection.headers for name in FORWARDED):
        return False
    try:
        return ipaddress.ip_address(connection.client.host).is_loopback
    except ValueError:
        return False
