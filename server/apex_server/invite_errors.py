"""Why an invite is not made or not taken: a coach's to an athlete, and an organisation's to a coach."""

from apex_server.errors import Forbidden, Gone, LimitReached

__all__ = ["InviteExpired", "InviteForAnother", "InviteRevoked", "InviteUsed", "TooManyInvites"]


class InviteForAnother(Forbidden):
    """The coach bound the invite to another e-mail address."""

    code = "invite_for_another"
    title = "This invite is meant for another e-mail address."
    next_step = "Use the account with the invited address, or ask the coach for a new invite."


class TooManyInvites(LimitReached):
    """A coach has as many open invites as one coach may have, or has made as many in a day."""

    code = "too_many_invites"
    title = "You have too many open invites."
    next_step = "Wait until some are used or expire. A coach can also take them back: DELETE /api/clients/invites."


class InviteExpired(Gone):
    """The invite's time is over."""

    code = "invite_expired"
    title = "This invite has expired."
    next_step = "Ask the coach for a new invite."


class InviteRevoked(Gone):
    """The coach took the invite back, or made a newer one for the same address."""

    code = "invite_revoked"
    title = "This invite was taken back."
    next_step = "Use the coach's latest invite, or ask the coach for a new one."


class InviteUsed(Gone):
    """Somebody else has accepted the invite."""

    code = "invite_used"
    title = "This invite has been used."
    next_step = "Ask the coach for a new invite."
