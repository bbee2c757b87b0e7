"""The real app, built once in the process that others are forked from, so that each of them is up at once."""

from pathlib import Path

from apex_server.app import create_app
from apex_server.settings import Settings
from tests.server.sync_world import SECRET

APP = create_app(Settings(data_dir=Path(), secret=SECRET, log_level="error", limits_factor=1e6))
"""It opens what its settings name when it starts, not before."""
