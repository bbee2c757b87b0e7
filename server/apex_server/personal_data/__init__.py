"""What becomes of a person's data as a whole: it is handed out to them, kept no longer than it may be, and erased."""

from apex_server.personal_data.erasure import GRACE, Eraser
from apex_server.personal_data.export import Exporter
from apex_server.personal_data.retention import BACKUPS_KEPT, Retention, prune_backups

__all__ = ["BACKUPS_KEPT", "GRACE", "Eraser", "Exporter", "Retention", "prune_backups"]
