"""Programs over REST: `/api/programs`."""

from apex_server.programs.routes import program_routes

__all__ = ["program_routes"]
