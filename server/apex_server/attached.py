"""Processes that end with the one that started them, however that ended: `python -m apex_server.attached PID MODULE …`.

A server that is killed can stop nobody any more, and its web processes would go on answering on a port that the next
server shares with them without noticing. So each process asks the kernel to be killed when its parent dies, granian's
own children too (`create_attached_app`). What they were at is safe: nothing is acknowledged before it is durable.

Linux can do this. Elsewhere the processes run as they are, and `serve` must be stopped, not killed.
"""

import ctypes
import gc
import os
import runpy
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from litestar import Litestar

__all__ = ["attach", "attached_command", "create_attached_app"]

PR_SET_PDEATHSIG = 1
"""From <sys/prctl.h>."""

PARENT_VARIABLE = "APEX_ATTACHED_TO"
ORPHANED = 1


def attached_command(*words: str) -> list[str]:
    """Give the command that runs a module, with its arguments, attached to this process."""
    return [sys.executable, "-m", "apex_server.attached", str(os.getpid()), *words]


def attach(parent_pid: int) -> None:
    """Let this process be killed when its parent dies, and end it at once if that has died already."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(ORPHANED)


def create_attached_app() -> "Litestar":
    """Build the application in a process that granian has started, and attach that to granian."""
    from apex_server.app import create_app

    attach(int(os.environ[PARENT_VARIABLE]))
    app = create_app()
    # All this stays for good; a full collection, which some request has to wait for, need not look through it.
    gc.collect()
    gc.freeze()
    return app


def main() -> None:
    """Attach this process to the one that is named, and become the module."""
    parent_pid, module, *arguments = sys.argv[1:]
    attach(int(parent_pid))
    os.environ[PARENT_VARIABLE] = str(os.getpid())
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
