"""What the endpoints of consents take and give."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from apex_server.policy import SUPPORT_CONSENT_DAYS_MAX, ConsentKind
from apex_sync.problems import patterned

__all__ = ["ConsentChange", "ConsentEntry", "ConsentView", "ConsentsView"]

_Version = Annotated[
    str,
    Meta(
        pattern=patterned(r"^[A-Za-z0-9._-]{1,40}$(?!\n)", "the version of a text, up to 40 letters and digits"),
        description="Of the text that the person was shown.",
    ),
]


class ConsentChange(Struct, forbid_unknown_fields=True, kw_only=True):
    """Give a consent, or take it back; given again, for another text or longer, it replaces the first."""

    kind: ConsentKind
    given: bool
    version: _Version | None = None
    days: Annotated[int, Meta(ge=1, le=SUPPORT_CONSENT_DAYS_MAX, description="For `support_access`.")] | None = None


class ConsentEntry(Struct):
    """One consent that was given."""

    version: str
    given_at: datetime
    withdrawn_at: datetime | None
    expires_at: datetime | None


class ConsentView(Struct):
    """What stands of one kind of consent, and what was given before, the latest first."""

    kind: ConsentKind
    text: Annotated[str, Meta(description="To show before it is given.")]
    text_version: Annotated[str, Meta(description="To give it with, as `version`.")]
    given: bool
    version: str | None
    given_at: datetime | None
    expires_at: datetime | None
    history: list[ConsentEntry]


class ConsentsView(Struct):
    """All kinds of consent, whether ever given or not."""

    consents: list[ConsentView]
