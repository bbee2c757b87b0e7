"""What only the endpoints of programs refuse."""

from apex_server.errors import ApiError

__all__ = ["VersionGone"]


class VersionGone(ApiError):
    """A version from before the history of the program was shortened; what overwrote it is all that is known."""

    status = 410
    code = "version_gone"
    title = "The history of this program was shortened since: that version is no longer known."
    next_step = "Read the versions again; the oldest one listed holds everything from before."
