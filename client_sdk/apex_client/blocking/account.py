# Made from ../account.py by client_sdk/generate_blocking.py; edit that file instead.
"""Signing in and staying signed in: tokens are renewed when the server refuses them, and kept in the replica."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec.structs import replace

from apex_client import known_devices, signing
from apex_client.accounts import Credentials, DeviceKind, Me, Role, Session, SignedIn, Tokens, User
from apex_client.blocking.transport import LiveChannel, Transport
from apex_client.blocking.waiting import Lock, ServerCall, waiting_clock
from apex_client.errors import (
    AccountErased,
    AccountExists,
    AnotherUser,
    BadAnswer,
    CoachOnAthleteReplica,
    MfaRequired,
    NoServer,
    ServerRefused,
    SessionEnded,
    SignedInAlready,
    SignedOut,
    SyncFailed,
    Throttled,
    WrongCredentials,
    is_totp,
)

if TYPE_CHECKING:
    from apex_client.blocking.replica import Replica

CLIENT_ID_TAKEN = "client_id_taken"
"""The server's code for a client id that belongs to another device."""

MICROSECONDS = 1_000_000

TOKENS_MAX = 3
"""The first may have run out, the second be of a session that ends in that moment; the third is of a new sign-in."""

T = TypeVar("T")


class Account:
    """The connection of one replica to its server, as its user."""

    def __init__(
        self,
        replica: "Replica",
        transport: Callable[[], Transport],
        server: str | None,
        credentials: Credentials | None,
        device: tuple[str, DeviceKind],
        on_erased: Callable[[], object] | None,
    ) -> None:
        self._new_transport = transport
        self._transport: Transport | None = None
        self._replica = replica
        self._server = _normal(server) if server else None
        self._credentials = credentials
        self._device = device
        self._on_erased = on_erased
        self._lock = Lock()
        self._held_off_until = 0.0

    @property
    def transport(self) -> Transport:
        """The way to the server, made when it is first needed."""
        if self._transport is None:
            self._transport = self._new_transport()
        return self._transport

    @property
    def server(self) -> str | None:
        """The server that was named, else the one of the last session."""
        session = self._replica._open.session
        return self._server or (session.server if session else None)

    @property
    def device_name(self) -> str:
        """What this device calls itself."""
        return self._device[0]

    def login(self, server: str, email: str, password: str, *, mfa_code: str | None) -> User:
        """Sign in, and adopt what was logged here without an account."""
        body = {"email": email, "password": password}
        tokens = self._replica._do(known_devices.device_tokens, email)
        try:
            return self._begin(server, "login", body, tokens)
        except MfaRequired as demand:
            if mfa_code is None:
                raise
            return self.finish_login(demand, mfa_code, method=None)

    def finish_login(self, demand: MfaRequired, code: str, *, method: str | None) -> User:
        """Sign in with the code that was asked for."""
        body = {"mfa_token": demand.token, "method": method or demand.method_of(code), "code": code}
        tokens = [demand.device_token] if demand.device_token else []
        return self._begin(demand.server, "login/mfa", body, tokens)

    def send_mfa_code(self, demand: MfaRequired) -> None:
        """Have a code sent by SMS."""
        name, kind = self._device
        body = {"mfa_token": demand.token, "device": {"name": name, "kind": kind}}
        more = {"device_token": demand.device_token} if demand.device_token else {}
        self.transport.call(demand.server, None, "POST", "/api/auth/login/sms", body | more)

    def register(self, server: str, email: str, password: str, *, name: str, role: Role, invite: str | None) -> User:
        """Make an account and sign in; where this device would refuse its user, none is made and no invite is spent.

        Under the address of whoever is signed in here it is made only where the server has lost theirs. Raises
        AccountExists where it has not, and ended their session.
        """
        self._replica._do(signing.check_user, _normal(server), User("", email, name, role))
        session = self._replica._open.session
        if session is not None and session.server == _normal(server):
            self._refuse_another(session)
        body = {"email": email, "password": password, "name": name, "role": role}
        return self._begin(server, "register", body | ({"invite": invite} if invite else {}))

    def logout(self, *, discard_unsent: bool) -> None:
        """Sign out; the server is told where it can be reached."""
        if not discard_unsent:
            self._ask_whether_confirmed()
            self._replica._do(signing.check_sign_out)
        session = self._replica._open.session
        if session is not None:
            with suppress(SyncFailed):
                self.transport.call(session.server, session.access_token, "POST", "/api/auth/logout", None)
        self._replica._do(signing.sign_out, discard_unsent=discard_unsent)
        self._credentials = None

    def ready(self) -> None:
        """Make sure that somebody is signed in. Raises NoServer or SignedOut."""
        self._token()

    def call(self, method: str, path: str, json: Any) -> Any:
        """Call the JSON API as the user."""
        return self._as_user(lambda server, token: self.transport.call(server, token, method, path, json))

    def download(self, path: str, write: Callable[[bytes], object], json: Any = None) -> None:
        """Hand a file of the JSON API to `write`, piece by piece, as the user."""
        self._as_user(lambda server, token: self.transport.download(server, token, path, write, json))

    def put(self, place: str, content: bytes) -> None:
        """PUT bytes as the user, or to a whole address as nobody."""
        self._as_user(lambda server, token: self.transport.put(server, token, place, content))

    def reauthenticate(self, password: str, mfa_code: str | None) -> None:
        """Prove once more who the user is."""
        body = {"password": password}
        if mfa_code is not None:
            method = "totp" if is_totp(mfa_code) else "recovery_code"
            body |= {"code": mfa_code, "method": method}
        self.call("POST", "/api/auth/reauthenticate", body)

    def exchange(self, message: bytes) -> bytes:
        """Send one sync message and give its answer."""
        return self._as_user(lambda server, token: self.transport.exchange(server, token, message))

    def connect(self) -> LiveChannel | None:
        """Open the live channel."""
        return self._as_user(lambda server, token: self.transport.connect(server, token))

    def hold_off(self, seconds: float) -> None:
        """Leave the server alone for so long: whatever is asked of it until then is refused here."""
        self._held_off_until = waiting_clock() + seconds

    def close(self) -> None:
        """Let go of connections."""
        if self._transport is not None:
            self._transport.close()

    def _as_user(self, call: ServerCall[T]) -> T:
        """Call the server with a token that it takes: the one that is here, a renewed one, that of a new sign-in.

        Raises Throttled without a call as long as the server has asked this account to wait.
        """
        seconds = self._held_off_until - waiting_clock()
        if seconds > 0:
            raise Throttled(seconds)
        try:
            return self._with_token(call)
        except Throttled as error:
            self.hold_off(error.retry_after)
            raise

    def _with_token(self, call: ServerCall[T]) -> T:
        """Raises SignedOut where nothing brings a new token, BadAnswer where each is refused as soon as it is given."""
        server, token = self._token()
        for _ in range(TOKENS_MAX):
            try:
                return call(server, token)
            except WrongCredentials:
                raise
            except SignedOut:
                server, token = self._token(refused=token)
        raise BadAnswer("tokens that the server refuses as soon as it has given them")

    def _token(self, refused: str | None = None) -> tuple[str, str]:
        """Give server and token; a token that was refused is renewed first. Raises NoServer or SignedOut."""
        with self._lock:
            session = self._replica._open.session
            server = self.server
            if server is None:
                raise NoServer
            if session is None or (self._credentials and self._credentials.email != session.user.email):
                session = self._sign_in_again(server)
            elif session.access_token == refused:
                session = self._renew(session)
            return session.server, session.access_token

    def _renew(self, session: Session) -> Session:
        """Exchange the refresh token, once; where that fails too, sign in with credentials that were given."""
        try:
            answer = self._exchange_refresh_token(session)
        except SignedOut:
            if self._credentials is None:
                raise
            return self._sign_in_again(session.server)
        renewed = self._session(session.server, session.user, read_answer(answer, Tokens))
        self._replica._do(signing.keep_session, renewed)
        return renewed

    def _refuse_another(self, session: Session) -> None:
        """Return where the server knows nothing (any more) of the account that is signed in here.

        Raises SignedInAlready where the session stands, else AccountExists.
        """
        try:
            self._renew(session)
        except SessionEnded as error:
            raise AccountExists(session.user.email) from error
        except (SignedOut, AccountErased):
            return
        raise SignedInAlready(session.user.email, same_address=True)

    def _ask_whether_confirmed(self) -> None:
        """Hear whether the user's address is confirmed, where this device has not heard so and the server answers."""
        user = self._replica.user
        if user is None or user.email_verified:
            return
        with suppress(SyncFailed):
            me = read_answer(self.call("GET", "/api/auth/me", None), Me)
            session = self._replica._open.session
            if session is not None and session.user.id == me.user.id:
                self._replica._do(signing.keep_session, replace(session, user=me.user))

    def _exchange_refresh_token(self, session: Session) -> Any:
        """Exchange the refresh token; where the account was erased, take everything of it off this device first."""
        body = {"refresh_token": session.refresh_token}
        device_token = self._replica._do(known_devices.device_token, session.user.id)
        if device_token:
            body["device_token"] = device_token
        try:
            return self.transport.call(session.server, None, "POST", "/api/auth/refresh", body)
        except AccountErased:
            if self._on_erased is not None:
                self._on_erased()
            self._replica._do(signing.wipe)
            raise

    def _sign_in_again(self, server: str) -> Session:
        given = self._credentials
        if given is None:
            raise SignedOut
        self.login(server, given.email, given.password, mfa_code=None)
        session = self._replica._open.session
        if session is None:
            raise SignedOut
        return session

    def _begin(self, server: str, verb: str, body: dict[str, Any], device_tokens: Sequence[str] = ()) -> User:
        server = _normal(server)
        device_token, said = self._claim_by_any(server, f"/api/auth/{verb}", body, device_tokens)
        answer = read_answer(said, SignedIn)
        self._ask_about_former(server, answer.user)
        session = self._session(server, answer.user, answer)
        try:
            self._replica._do(signing.sign_in, session, answer.device_token or device_token)
        except (AnotherUser, SignedInAlready, CoachOnAthleteReplica):
            # The server has opened a session that nobody will use.
            with suppress(SyncFailed):
                self.transport.call(server, answer.access_token, "POST", "/api/auth/logout", None)
            raise
        self._server = server
        self._replica.wake()
        return answer.user

    def _ask_about_former(self, server: str, user: User) -> None:
        """Ask what became of the account that was here before another one of the same server moves in.

        One that the server has lost, or that its person made beside the one they have, is carried over
        (lost_account.py); one that its person had erased must not be.
        """
        session = self._replica._open.session
        if session is None or session.user.id == user.id or session.server != server:
            return
        with suppress(SignedOut, AccountErased):
            self._exchange_refresh_token(session)

    def _claim_by_any(
        self, server: str, path: str, body: dict[str, Any], device_tokens: Sequence[str]
    ) -> tuple[str | None, Any]:
        """Sign in as one of the devices that this one is known as; give the token that did it, and the answer.

        Whoever has two accounts of one address has a token of each here, and their password may open either.
        """
        for device_token in device_tokens[:-1]:
            with suppress(WrongCredentials):
                return device_token, self._claim(server, path, body, device_token)
        last = device_tokens[-1] if device_tokens else None
        return last, self._claim(server, path, body, last)

    def _claim(self, server: str, path: str, body: dict[str, Any], device_token: str | None) -> Any:
        """Sign in on this device; where its client id is another device's, under a new one."""
        name, kind = self._device
        body["device"] = {"name": name, "kind": kind, "client_id": self._replica.client_id}
        if device_token:
            body["device_token"] = device_token
        try:
            return self.transport.call(server, None, "POST", path, body)
        except MfaRequired as demand:
            demand.server, demand.device_token = server, device_token
            raise
        except SignedOut as error:
            if "mfa_token" in body:
                raise
            raise WrongCredentials from error
        except ServerRefused as error:
            if error.code != CLIENT_ID_TAKEN:
                raise
            body["device"]["client_id"] = self._replica._do(signing.take_new_client_id)
            return self.transport.call(server, None, "POST", path, body)

    def _session(self, server: str, user: User, tokens: Tokens) -> Session:
        expires_us = self._replica._now_us() + int(tokens.expires_in * MICROSECONDS)
        return Session(user, server, tokens.access_token, tokens.refresh_token, expires_us)


def read_answer(answer: Any, kind: type[T]) -> T:
    """Read what is to be an answer of the account endpoints; another server may have given it. Raises BadAnswer."""
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as error:
        raise BadAnswer(str(error)) from error


def _normal(server: str) -> str:
    return server.rstrip("/")
