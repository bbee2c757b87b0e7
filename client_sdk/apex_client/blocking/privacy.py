# Made from ../privacy.py by client_sdk/generate_blocking.py; edit that file instead.
"""A person's say over their own data: what they consent to, a copy of everything, and the end of the account.

All of it happens on the server and needs a network. What cannot be taken back wants a recent sign-in: SignInAgain is
raised, and after `Replica.reauthenticate` the same call goes through.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from apex_client.blocking.account import read_answer
from apex_client.blocking.waiting import pause, waiting_clock
from apex_client.errors import ExportFailed
from apex_client.own_data import Consent, Consents, DataExport, DataExportProgress, Deletion
from apex_client.whole_file import whole_file

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

POLL_SECONDS = 1.0
"""Between two looks at how far a copy is; most are made in seconds."""

MAKING_SECONDS_MAX = 3600.0
"""How long to wait for a copy to be made; afterwards it is still there, for the next call."""

SHOW_EVERY_BYTES = 256 * 1024
"""Downloaded between two reports of progress."""


class Privacy:
    """The consents, copies and deletion of the signed-in user; on a replica `replica.privacy`."""

    def __init__(self, replica: "Replica") -> None:
        self._replica = replica

    def consents(self) -> list[Consent]:
        """List what the user may allow, with the text of each, and what they have allowed."""
        return read_answer(self._replica.request("GET", "/api/consents"), Consents).consents

    def allow(self, consent: Consent, *, days: int | None = None) -> None:
        """Give a consent whose text the user has read; `support_access` is given for so many days."""
        body = {"kind": consent.kind, "given": True, "version": consent.text_version}
        self._replica.request("PUT", "/api/consents", body | ({"days": days} if days else {}))

    def withdraw(self, kind: str) -> None:
        """Take a consent back; it holds from now on."""
        self._replica.request("PUT", "/api/consents", {"kind": kind, "given": False})

    def export(self, path: str | Path, *, progress: Callable[[DataExportProgress], None] | None = None) -> DataExport:
        """Have a copy of everything about the user made, and download it: a zip of JSON files.

        The file is complete or not there, and readable to its owner alone. Raises SignInAgain, ExportFailed, and
        ServerRefused with the code `too_many_exports` after several in a day.
        """
        made = self._made(progress or _nobody_looks)
        with whole_file(Path(path), "wb") as file:
            write = _telling(file.write, made.bytes, progress or _nobody_looks)
            self._replica._account.download(f"/api/privacy/exports/{made.id}/file", write)
        return made

    def deletion(self) -> Deletion | None:
        """Tell when the account is to be erased; None where nobody asked for that."""
        found = read_answer(self._replica.request("GET", "/api/privacy/deletion"), Deletion)
        return found if found.erase_at else None

    def ask_for_deletion(self) -> Deletion:
        """Have the account and everything in it erased in 30 days; until then all works. Raises SignInAgain."""
        return read_answer(self._replica.request("POST", "/api/privacy/deletion"), Deletion)

    def cancel_deletion(self) -> None:
        """Keep the account after all. Raises ServerRefused with `not_found` where nobody asked for its end."""
        self._replica.request("DELETE", "/api/privacy/deletion")

    def _made(self, progress: Callable[[DataExportProgress], None]) -> DataExport:
        """Ask for a copy, and wait until it is made."""
        asked = read_answer(self._replica.request("POST", "/api/privacy/export"), DataExport)
        deadline = waiting_clock() + MAKING_SECONDS_MAX
        while asked.state == "waiting":
            if waiting_clock() > deadline:
                raise ExportFailed("the server is still at it; ask again later")
            progress(DataExportProgress("making", int(asked.progress * 100), 100))
            pause(POLL_SECONDS)
            listed = read_answer(self._replica.request("GET", "/api/privacy/exports"), list[DataExport])
            asked = next((each for each in listed if each.id == asked.id), asked)
        if asked.state == "failed":
            raise ExportFailed("the server could not make it; ask again")
        return asked


def _nobody_looks(progress: DataExportProgress) -> None:
    pass


def _telling(
    write: Callable[[bytes], object], total: int, progress: Callable[[DataExportProgress], None]
) -> Callable[[bytes], None]:
    """Give a `write` that reports how far it is, now and then."""
    done = told = 0

    def told_write(chunk: bytes) -> None:
        nonlocal done, told
        write(chunk)
        done += len(chunk)
        if done - told >= SHOW_EVERY_BYTES or done >= total:
            told = done
            progress(DataExportProgress("downloading", done, total))

    return told_write
