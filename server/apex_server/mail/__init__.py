"""Mails: asked for in a transaction, sent by a worker, through SMTP or into a folder.

A slice asks with `ask_for_mail`; everything else happens in the worker (`MailSender`), the only place where an address
and a token meet.
"""

from collections.abc import Callable
from datetime import datetime
from urllib.parse import urlsplit

from apex_server.mail.asking import (
    INVITE_CODE,
    INVITE_EMAIL,
    ask_for_invite_mails,
    ask_for_mail,
    ask_for_mail_to_index,
    mail_at_last,
    press_for_link,
)
from apex_server.mail.folder import FolderMailer
from apex_server.mail.letters import STOP_PAGE, DroppedFactor, MailPurpose
from apex_server.mail.mailboxes import mailbox_key
from apex_server.mail.mailer import Mailer, MailError, MailPostponed, MailRefused
from apex_server.mail.message import Mail
from apex_server.mail.sending import ATTEMPTS_MAX, NEW_EMAIL, OLD_EMAIL, HeldMail, MailSender, list_held_mails
from apex_server.mail.smtp import SmtpMailer, smtp_address
from apex_server.mail.waiting_messages import UNREAD_FOR, Waiting, waiting_messages
from apex_server.settings import Settings, SettingsError

__all__ = [
    "ATTEMPTS_MAX",
    "INVITE_CODE",
    "INVITE_EMAIL",
    "NEW_EMAIL",
    "OLD_EMAIL",
    "STOP_PAGE",
    "UNREAD_FOR",
    "DroppedFactor",
    "FolderMailer",
    "HeldMail",
    "Mail",
    "MailError",
    "MailPostponed",
    "MailPurpose",
    "MailRefused",
    "MailSender",
    "Mailer",
    "SmtpMailer",
    "Waiting",
    "ask_for_invite_mails",
    "ask_for_mail",
    "ask_for_mail_to_index",
    "list_held_mails",
    "mail_at_last",
    "mailbox_key",
    "mailer_of",
    "press_for_link",
    "smtp_address",
    "waiting_messages",
]


def mailer_of(settings: Settings, *, now: Callable[[], datetime]) -> Mailer:
    """Give the post of an installation: SMTP where it is set, else the folder `mails` in the data directory.

    Raises SettingsError for an APEX_SMTP_URL that cannot be used.
    """
    host = urlsplit(settings.page_url).hostname or "localhost"
    sender = settings.mail_from or f"Apex <no-reply@{'localhost' if ':' in host else host}>"
    if settings.smtp_url is None:
        return FolderMailer(settings.data_dir / "mails", sender=sender, now=now)
    try:
        address = smtp_address(settings.smtp_url)
    except ValueError as error:
        raise SettingsError("APEX_SMTP_URL", str(error)) from error
    return SmtpMailer(address, sender=sender, now=now)
