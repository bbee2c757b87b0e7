"""What a server tells a person about their own data: consents, copies of everything, and the end of the account."""

from datetime import datetime
from typing import Literal

from msgspec import Struct


class Consent(Struct, frozen=True):
    """One thing a person may allow; `text` is to be shown before they do, and `text_version` names it.

    `version` names the text that they read when they allowed it, and what they allowed is what that one said.
    """

    kind: str
    given: bool
    text: str = ""
    text_version: str = ""
    version: str | None = None
    given_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def is_outdated(self) -> bool:
        """Whether it was allowed by an earlier text; allowing it again stands for the text of today."""
        return self.given and self.version != self.text_version


class Consents(Struct, frozen=True):
    """All kinds of consent, whether given or not."""

    consents: list[Consent]


class DataExport(Struct, frozen=True):
    """A copy of everything about a person, on the server; `progress` from 0 to 1 while it is being made."""

    id: str
    state: Literal["waiting", "ready", "failed"]
    asked_at: datetime
    progress: float
    bytes: int
    expires_at: datetime | None = None


class Deletion(Struct, frozen=True):
    """When an account is to be erased; both are None where nobody asked for that."""

    asked_at: datetime | None = None
    erase_at: datetime | None = None


class DataExportProgress(Struct, frozen=True):
    """How far a copy has come: per cent while the server makes it, bytes while it is downloaded."""

    stage: Literal["making", "downloading"]
    done: int
    total: int
