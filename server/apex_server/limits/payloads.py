"""What `/api/limits` says."""

import msgspec

__all__ = ["BudgetView", "LimitsView"]


class BudgetView(msgspec.Struct):
    """One budget. What is used drains away evenly, `amount` within `window_seconds`."""

    budget: str
    amount: int
    window_seconds: int
    left: int
    full_in_seconds: int


class LimitsView(msgspec.Struct):
    """Your tier, and what is left of its budgets, over all server processes."""

    tier: str
    budgets: list[BudgetView]
    ai_tokens_per_month: int
    ai_tokens_left: int
    """Of a coach; what the texts for their athletes may still cost this month."""
