"""The coach's page: server-rendered, live, and without anything from third parties."""

from apex_server.web.routes import web_routes

__all__ = ["web_routes"]
