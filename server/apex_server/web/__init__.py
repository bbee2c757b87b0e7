"""The coach's page: server-rendered, live, and without anything from third parties."""

from apex_server.web.routes import page_instead, web_routes

__all__ = ["page_instead", "web_routes"]
