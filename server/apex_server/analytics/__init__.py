"""Analytics: what training adds up to, for one athlete or all of a coach's; Postgres counts it in the projections."""

from apex_server.analytics.routes import analytics_routes

__all__ = ["analytics_routes"]
