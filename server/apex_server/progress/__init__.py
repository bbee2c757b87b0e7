"""Progress: what athletes measure of themselves, and how it develops."""

from apex_server.progress.routes import progress_routes

__all__ = ["progress_routes"]
