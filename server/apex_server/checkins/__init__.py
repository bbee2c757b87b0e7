"""Check-ins over REST: `/api/checkins`."""

from apex_server.checkins.routes import checkin_routes

__all__ = ["checkin_routes"]
