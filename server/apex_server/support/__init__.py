"""Support: reading what one consenting person has, for a named ticket and a short while, and never writing."""

from apex_server.support.guard import guard_support, provide_database
from apex_server.support.routes import support_routes

__all__ = ["guard_support", "provide_database", "support_routes"]
