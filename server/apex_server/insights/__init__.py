"""Insights over REST: what the analysis drafted, for its coach to read, edit, approve or dismiss."""

from apex_server.insights.routes import insight_routes

__all__ = ["insight_routes"]
