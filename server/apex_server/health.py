"""Is the process alive, and can it serve? For load balancers and process supervisors."""

from typing import Literal

import anyio
import msgspec
from litestar import Response, get
from litestar.di import NamedDependency
from litestar.status_codes import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from apex_server.db import Database, DatabaseError

__all__ = ["health_routes"]

READY_TIMEOUT_SECONDS = 2.0
"""A database that needs longer for `SELECT 1` can't serve; balancers ask again in a few seconds."""


class Health(msgspec.Struct):
    """The process answers."""

    status: Literal["ok", "unavailable"]
    database: Literal["ok", "unavailable"] | None = None


@get("/health", tags=["operation"], exclude_from_auth=True, summary="Is the process alive?")
async def health() -> Health:
    """Answer without touching anything else."""
    return Health("ok")


@get("/ready", tags=["operation"], exclude_from_auth=True, summary="Can it serve?")
async def ready(database: NamedDependency[Database]) -> Response[Health]:
    """Answer 200 when Postgres answers within two seconds, else 503."""
    try:
        with anyio.fail_after(READY_TIMEOUT_SECONDS):
            await database.ping()
    except (DatabaseError, TimeoutError):
        return Response(Health("unavailable", "unavailable"), status_code=HTTP_503_SERVICE_UNAVAILABLE)
    return Response(Health("ok", "ok"), status_code=HTTP_200_OK)


health_routes = [health, ready]
