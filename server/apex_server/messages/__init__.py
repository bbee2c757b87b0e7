"""What a coach and an athlete write to each other, over REST."""

from apex_server.messages.media import MessageMediaController
from apex_server.messages.routes import MessagesController

__all__ = ["message_routes"]

message_routes = (MessagesController, MessageMediaController)
