"""The audit: what happens to a person's account and data, in chains that show when somebody has meddled with them."""

from apex_server.audit.chain import AuditChain, link_of
from apex_server.audit.events import ACTIONS, Action, record_event

__all__ = ["ACTIONS", "Action", "AuditChain", "link_of", "record_event"]
