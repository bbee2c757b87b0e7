"""What people have consented to, since when, and to which text; nothing is on by default."""

from apex_server.consents.routes import ConsentsController
from apex_server.consents.stopping import StopMessagesController

__all__ = ["consent_routes"]

consent_routes = (ConsentsController, StopMessagesController)
"""The endpoints of consents."""
