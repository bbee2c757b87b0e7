"""What people have consented to, since when, and to which text; nothing is on by default."""

from apex_server.consents.routes import consent_routes

__all__ = ["consent_routes"]
