"""The operator's hands: backup, restore and verification of a whole database. Only the command line uses them."""

from apex_server.operations.backup import back_up
from apex_server.operations.errors import OperationError
from apex_server.operations.media_copies import verify_media
from apex_server.operations.restore import restore
from apex_server.operations.support_account import add_support
from apex_server.operations.verify import ADVICE, Verification, verify

__all__ = ["ADVICE", "OperationError", "Verification", "add_support", "back_up", "restore", "verify", "verify_media"]
