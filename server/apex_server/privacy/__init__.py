"""What a person may ask about their own data: who did what with it, a copy of all of it, and its end."""

from apex_server.privacy.routes import privacy_routes

__all__ = ["privacy_routes"]
