"""Limits: what each tier may use of requests, bytes and CPU time, held by all server processes together.

| module | what it does |
|---|---|
| `tiers` | the amounts, by tier |
| `meter` | the arithmetic of one budget in one process |
| `limits`, `postgres` | all accounts of a process, and what the processes share |
| `cpu` | measures a coroutine |
| `admission` | where requests meet the limits |
| `routes`, `setting` | `GET /api/limits`; `apex-server set-tier` |
"""

from apex_server.limits.admission import admit, admit_visitor, charge_requests
from apex_server.limits.cpu import Metered
from apex_server.limits.limits import Account, Limits
from apex_server.limits.postgres import PostgresLimits
from apex_server.limits.routes import limits_routes
from apex_server.limits.setting import set_tier
from apex_server.limits.tiers import TIERS, Tier, TierName, tier_named

__all__ = [
    "TIERS",
    "Account",
    "Limits",
    "Metered",
    "PostgresLimits",
    "Tier",
    "TierName",
    "admit",
    "admit_visitor",
    "charge_requests",
    "limits_routes",
    "set_tier",
    "tier_named",
]
