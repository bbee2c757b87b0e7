"""What a coach and an athlete write to each other, over REST."""

from apex_server.messages.routes import message_routes

__all__ = ["message_routes"]
