"""`GET /api/limits`: what you may use, and what is left."""

from math import ceil, floor

from litestar import get
from litestar.di import NamedDependency

from apex_server.caller import Caller
from apex_server.db import Database, load_queries
from apex_server.limits.limits import Limits
from apex_server.limits.payloads import BudgetView, LimitsView
from apex_server.problems import SIGN_IN_REFUSALS, problem_responses

__all__ = ["limits_routes"]

_queries = load_queries(__package__)


@get(
    "/api/limits",
    tags=["auth"],
    summary="What your tier may use, and what is left",
    responses=problem_responses(*SIGN_IN_REFUSALS),
)
async def get_limits(
    caller: NamedDependency[Caller], database: NamedDependency[Database], limits: NamedDependency[Limits]
) -> LimitsView:
    """Tell your tier and what is left of its budgets, as all server processes together know it."""
    account = limits.user(caller.user_id, caller.role)
    left = await limits.left(account)
    async with database.request(caller.user_id) as connection:
        spent: int = await connection.fetchval(_queries.get_month_tokens, caller.user_id)
    return LimitsView(
        tier=account.tier.name,
        budgets=[
            BudgetView(
                budget=one.budget,
                amount=floor(one.amount),
                window_seconds=floor(one.window_seconds),
                left=floor(one.left),
                full_in_seconds=ceil(one.full_in_seconds),
            )
            for one in left
        ],
        ai_tokens_per_month=account.tier.ai_tokens_per_month,
        ai_tokens_left=max(0, account.tier.ai_tokens_per_month - spent),
    )


limits_routes = [get_limits]
