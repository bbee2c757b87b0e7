"""Why a session needs a second factor first: what it opens is other people's."""

from apex_server.errors import Forbidden, Unauthenticated

__all__ = ["SecondFactorAgain", "SecondFactorDemanded"]


class SecondFactorAgain(Unauthenticated):
    """What this opens is other people's, so the session must have shown a second factor, and lately."""

    code = "second_factor_again"
    title = "This needs your second factor again: a passkey, or a code of your authenticator app."
    next_step = (
        "Set one up at /security if you have none. Then sign in with it, or send it to /api/auth/reauthenticate or "
        "/api/auth/passkeys/prove, and repeat the request within 15 minutes."
    )
    challenge = 'Bearer error="insufficient_user_authentication"'


class SecondFactorDemanded(Forbidden):
    """Who reads others here needs a second factor, and this session has shown none."""

    code = "second_factor_demanded"
    title = "Coaches need a second factor here, and this session has not shown one."
    next_step = (
        "Set one up at /security: an authenticator app or a passkey; codes by SMS do not count. If you have one, sign "
        "in again with it. Work not yet sent stays on the device."
    )
