"""`apex`: log training offline, import what was logged elsewhere, and sync, from a terminal or a script.

Data goes to the standard output, everything said about it to the standard error. Exit codes: 0 done, 1 it could not be
done (one line says why and what to do), 2 the command line makes no sense, 130 interrupted. What each command needs is
imported when it runs, so that `apex --help` answers at once.
"""

import sys

from apex_client.cli.failures import explained

__all__ = ["main"]


def main() -> None:
    """Run the command line of this process."""
    from apex_client.cli.app import app

    with explained():
        app(prog_name="apex", args=sys.argv[1:])
