"""The composition root: the one module that knows every slice, and puts them together.

What has a life of its own (pools, the hint hub, the live channel) is opened once per process by `_opened_parts`, kept
in the application's state, and handed to handlers as the dependency of the same name.
"""

import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from litestar import Litestar
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.plugins.prometheus import PrometheusConfig

from apex_server.ai.opening import open_model
from apex_server.analytics import analytics_routes
from apex_server.auth import account_parts, auth_routes, provide_caller
from apex_server.checkins import checkin_routes
from apex_server.client_address import TRUSTED_PROXIES
from apex_server.clients import clients_routes
from apex_server.consents import consent_routes
from apex_server.db import Database, HintHub
from apex_server.db.background import in_background
from apex_server.exercises import exercise_routes
from apex_server.headers import cors_of, hardened_headers
from apex_server.health import health_routes
from apex_server.insights import insight_routes
from apex_server.known_parameters import guard_parameters
from apex_server.limits import Limits, PostgresLimits, admit, charge_requests, limits_routes
from apex_server.logs import configure_logs, log_socket_failure, request_log
from apex_server.media import media_routes, media_store_of
from apex_server.messages import message_routes
from apex_server.messenger import messenger_of
from apex_server.metrics import Metrics
from apex_server.nutrition import nutrition_routes
from apex_server.openapi_document import openapi_config
from apex_server.organisations import organisation_routes
from apex_server.privacy import privacy_routes
from apex_server.problems import answer_framework_error, exception_handlers
from apex_server.programs import program_routes
from apex_server.progress import progress_routes
from apex_server.settings import Settings
from apex_server.support import guard_support, provide_database, support_routes
from apex_server.sync import (
    Committer,
    Feed,
    PostgresCommitStore,
    PostgresFeedStore,
    SyncExchange,
    load_identity,
    sync_routes,
)
from apex_server.sync.limited import LimitedExchange
from apex_server.sync.live import LiveHub
from apex_server.sync.live_routes import live_routes
from apex_server.web import page_instead, web_routes
from apex_server.workouts import workout_routes

__all__ = ["create_app"]

_BODY_BYTES_MAX = 64 * 1024
"""Of every route that does not say otherwise: a form of a page, or nothing at all."""

_OPENED = (
    "accounts",
    "answer",
    "committer",
    "hints",
    "is_session_open",
    "limits",
    "live_answer",
    "live_hub",
    "media_store",
    "model",
    "session_cookies",
    "vault",
)
"""What `_opened_parts` opens and handlers may ask for by name."""


def create_app(settings: Settings | None = None) -> Litestar:
    """Build the ASGI application; without settings it reads the environment, which must name a migrated database."""
    settings = settings or Settings.from_environment()
    configure_logs(settings.log_level)
    return Litestar(
        route_handlers=[
            *health_routes,
            Metrics,
            *auth_routes,
            *clients_routes,
            *organisation_routes,
            *consent_routes,
            *privacy_routes,
            *support_routes,
            *workout_routes,
            *checkin_routes,
            *program_routes,
            *exercise_routes,
            *progress_routes,
            *media_routes,
            *nutrition_routes,
            *analytics_routes,
            *insight_routes,
            *message_routes,
            *limits_routes,
            *sync_routes,
            *live_routes,
            *web_routes,
        ],
        lifespan=[_opened_parts],
        request_max_body_size=_BODY_BYTES_MAX,
        state=State(
            {
                "settings": settings,
                TRUSTED_PROXIES: tuple(ipaddress.ip_network(each) for each in settings.trusted_proxies),
            }
        ),
        guards=[_guard, guard_support, guard_parameters],
        dependencies={
            "caller": Provide(provide_caller),
            "database": Provide(provide_database),
            **{name: Provide(_handing(name)) for name in _OPENED},
        },
        exception_handlers={**exception_handlers, HTTPException: page_instead(answer_framework_error)},
        after_exception=[log_socket_failure],
        before_send=[hardened_headers(settings)],
        cors_config=cors_of(settings),
        middleware=[request_log, PrometheusConfig(app_name="apex", prefix="apex").middleware, charge_requests],
        openapi_config=openapi_config(),
        logging_config=None,
    )


@asynccontextmanager
async def _opened_parts(app: Litestar) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    async with (
        Database.open(settings) as database,
        HintHub.open(settings) as hints,
        LiveHub.open(hints) as live_hub,
        open_model(settings, database, now=partial(datetime.now, UTC)) as model,
    ):
        identity = await load_identity(database, settings.secret, *settings.former_secrets)
        committer = Committer(PostgresCommitStore(database), identity=identity, now_us=_now_us, hints=hints.publish)
        feed = Feed(PostgresFeedStore(database), identity)
        accounts = account_parts(
            database,
            secret=settings.secret,
            former_secrets=settings.former_secrets,
            public_url=settings.public_url,
            https=settings.is_https,
            port=settings.port,
            messenger=messenger_of(settings),
            second_factor_demanded=settings.second_factor_demanded,
        )
        limits = Limits(PostgresLimits(database), clock=time.monotonic, factor=settings.limits_factor)
        answer = SyncExchange(committer, feed, identity=identity, now_us=_now_us)
        limited = partial(LimitedExchange, answer, limits, epoch=identity.epoch, now_us=_now_us)
        app.state.update(
            accounts=accounts.accounts,
            answer=limited(),
            authenticator=accounts.authenticator,
            committer=committer,
            database=database,
            hints=hints,
            is_session_open=accounts.authenticator.is_session_open,
            limits=limits,
            live_answer=limited(live=True),
            live_hub=live_hub,
            media_store=media_store_of(settings),
            model=model,
            session_cookies=accounts.session_cookies,
            vault=database.vault,
        )
        async with in_background(limits.keep_settling):
            yield
        await limits.settle_at_the_end()


async def _guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    state = connection.app.state
    await admit(state.limits, connection, partial(state.authenticator.guard, connection, handler))


def _handing(name: str) -> Any:
    async def provide(state: State) -> Any:
        return state[name]

    return provide


def _now_us() -> int:
    return time.time_ns() // 1000
