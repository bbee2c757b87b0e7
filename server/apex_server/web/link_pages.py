"""The pages that links in our mails open, and the one that asks for such a link.

A link does nothing by being opened: mail programs and virus scanners open links, too. Its token stands behind the `#`,
which no browser sends anywhere, and goes to the server when a person presses the button.
"""

from typing import Any

from litestar import Request, Response, get
from msgspec import Struct

from apex_server.web.rendering import render

__all__ = ["link_pages"]

_Request = Request[Any, Any, Any]


class LinkPage(Struct, frozen=True, kw_only=True):
    """What one of the pages says."""

    action: str
    """The form's name for links.js."""
    heading: str
    words: str
    button: str
    field: str | None = None
    """What the person types, if anything: `email` or `password`."""
    done_heading: str
    done_words: str
    needs_token: bool = True
    otherwise: tuple[str, str] = ("/forgot-password", "Ask for a link to a new password")
    """Where the page leads whoever comes without a token, and in what words."""


VERIFY = LinkPage(
    action="verify-email",
    heading="Confirm your e-mail address",
    words="One tap gives it to the account that the mail tells of. Somebody else made that one? Then close this page.",
    button="Confirm this address",
    done_heading="Your address is confirmed",
    done_words="Thank you. Go on in your app, and sign in on your other devices.",
)
FORGOT = LinkPage(
    action="forgot-password",
    heading="Forgotten your password?",
    words="Tell us your e-mail address. If it has an account, we mail you a link to choose a new password.",
    button="Mail me a link",
    field="email",
    done_heading="Look into your mail",
    done_words="If there is an account with this address, a link is on its way. It is good for an hour.",
    needs_token=False,
)
RESET = LinkPage(
    action="reset-password",
    heading="Choose a new password",
    words="Every device will ask for it. What you logged offline stays on them and syncs when you sign in.",
    button="Use this password",
    field="password",
    done_heading="You have a new password",
    done_words="Sign in with it, here and on your devices.",
)
UNDO = LinkPage(
    action="undo-email-change",
    heading="Put your e-mail address back",
    words="It opens your account again, all devices are signed out, and we mail you a link to choose a new password.",
    button="Put it back",
    done_heading="Your address is back",
    done_words="Look into your mail: the link to a new password is on its way.",
)
STOP_MESSAGES = LinkPage(
    action="stop-messages",
    heading="Stop mails about unread messages",
    words="Messages go on; no mail tells you of them any more. You can allow it again on your security page.",
    button="Stop these mails",
    done_heading="No more of these mails",
    done_words="Whoever writes to you is read in the app, as before.",
    otherwise=("/security", "Stop these mails on your security page"),
)


@get("/verify-email")
async def verify_page(request: _Request) -> Response[Any]:
    """Confirm an address."""
    return render(request, "link.html", link=VERIFY)


@get("/forgot-password")
async def forgot_page(request: _Request) -> Response[Any]:
    """Ask for a link to a new password."""
    return render(request, "link.html", link=FORGOT)


@get("/reset-password")
async def reset_page(request: _Request) -> Response[Any]:
    """Choose a new password."""
    return render(request, "link.html", link=RESET)


@get("/undo-email-change")
async def undo_page(request: _Request) -> Response[Any]:
    """Take an address back."""
    return render(request, "link.html", link=UNDO)


@get("/stop-messages")
async def stop_messages_page(request: _Request) -> Response[Any]:
    """End mails about unread messages."""
    return render(request, "link.html", link=STOP_MESSAGES)


link_pages: list[Any] = [verify_page, forgot_page, reset_page, undo_page, stop_messages_page]
