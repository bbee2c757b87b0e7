"""Sign-ins of a simulated server: the real verdict on refresh tokens (`auth.refresh.judge`) over rows in memory."""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID

from msgspec import Struct

from apex_client.errors import ServerRefused, SignedOut
from apex_server.auth.refresh import INACTIVITY_MAX, TokenRow, judge
from apex_server.caller import Caller, Role

ACCESS_SECONDS = 900
PASSWORD = "correct"


class Person(Struct, frozen=True):
    """Somebody with an account."""

    id: UUID
    email: str
    role: Role


class SignIn(Struct):
    """A family of refresh tokens on one device."""

    id: UUID
    person: Person
    device_id: UUID
    ended_at: datetime | None = None


class RefreshToken(Struct):
    """One token of a family."""

    sign_in: SignIn
    parent: "RefreshToken | None"
    expires_at: datetime
    used_at: datetime | None = None
    used_by_device: bool = False


class SignIns:
    """Everybody's accounts, devices and tokens."""

    def __init__(self, now_us: Callable[[], int], dice: Random) -> None:
        self._now_us = now_us
        self._dice = dice
        self.people: dict[str, Person] = {}
        self._devices: dict[str, UUID] = {}
        self._access: dict[str, tuple[SignIn, int]] = {}
        self._refresh: dict[str, RefreshToken] = {}
        self.bound_elsewhere: Callable[[int, UUID, UUID], bool] = lambda client_id, user_id, device_id: False
        """Whether a client id is another device's."""
        self.device_of_client: Callable[[int, UUID], UUID | None] = lambda client_id, user_id: None
        """The user's device that a client id is bound to."""
        self.ended_for_reuse = 0

    def add(self, role: Role) -> Person:
        """Make an account."""
        number = len(self.people) + 1
        person = Person(UUID(int=number), f"{role}{number}@example.com", role)
        self.people[person.email] = person
        return person

    def caller(self, token: str) -> Caller:
        """Say who asks. Raises SignedOut."""
        sign_in, expires_us = self._access.get(token, (None, 0))
        if sign_in is None or sign_in.ended_at is not None or expires_us <= self._now_us():
            raise SignedOut("the token has expired")
        person = sign_in.person
        return Caller(person.id, person.role, sign_in.device_id, sign_in.id, expires_us // 1_000_000)

    def expire_access(self) -> None:
        """Let every access token be over."""
        self._access.clear()

    def end_all(self, person: Person) -> None:
        """Sign a person out everywhere."""
        for token in self._refresh.values():
            if token.sign_in.person == person:
                token.sign_in.ended_at = token.sign_in.ended_at or self._now()

    def forget_all(self) -> None:
        """Know no token any more, as a server that was put back to an older day."""
        self._access.clear()
        self._refresh.clear()

    def call(self, path: str, body: Any) -> Any:
        """Answer a call of the accounts API. Raises SignedOut or ServerRefused."""
        if path == "/api/auth/login":
            return self._log_in(body)
        if path == "/api/auth/refresh":
            return self._renew(body)
        raise ServerRefused(404, "not_found", path)

    def _log_in(self, body: Any) -> Any:
        person = self.people.get(body["email"])
        if person is None or body["password"] != PASSWORD:
            raise SignedOut("wrong")
        client_id = body["device"]["client_id"]
        device_token = body.get("device_token") or self._dice.randbytes(16).hex()
        # An installation whose first answer was lost has no token; its client id, kind and name tell who it is.
        known = self._devices.get(device_token) or self.device_of_client(client_id, person.id)
        device_id = self._devices.setdefault(device_token, known or self._uuid())
        if self.bound_elsewhere(client_id, person.id, device_id):
            raise ServerRefused(409, "client_id_taken", "another device's")
        sign_in = SignIn(self._uuid(), person, device_id)
        user = {"id": str(person.id), "email": person.email, "name": person.email, "role": person.role}
        return {"user": user, "device_token": device_token, **self._tokens(sign_in, None)}

    def _renew(self, body: Any) -> Any:
        token = self._refresh.get(body["refresh_token"])
        if token is None:
            raise SignedOut("unknown")
        proven = self._devices.get(body.get("device_token") or "") == token.sign_in.device_id
        others = [other for other in self._refresh.values() if other is not token and other.used_at is not None]
        row = TokenRow(
            expires_at=token.expires_at,
            used_at=token.used_at,
            used_by_device=token.used_by_device,
            device_proven=proven,
            sibling_used=any(other.parent is token.parent is not None for other in others),
            child_used=any(other.parent is token for other in others),
            session_ended_at=token.sign_in.ended_at,
        )
        verdict = judge(row, now=self._now())
        if verdict != "exchange":
            if verdict == "reused":
                token.sign_in.ended_at = self._now()
                self.ended_for_reuse += 1
            raise SignedOut(verdict)
        token.used_at, token.used_by_device = token.used_at or self._now(), proven
        return self._tokens(token.sign_in, token)

    def _tokens(self, sign_in: SignIn, parent: RefreshToken | None) -> dict[str, Any]:
        access, refresh = self._dice.randbytes(8).hex(), self._dice.randbytes(8).hex()
        self._access[access] = sign_in, self._now_us() + ACCESS_SECONDS * 1_000_000
        self._refresh[refresh] = RefreshToken(sign_in, parent, self._now() + INACTIVITY_MAX)
        return {"expires_in": ACCESS_SECONDS, "access_token": access, "refresh_token": refresh}

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._now_us() / 1e6, UTC)

    def _uuid(self) -> UUID:
        return UUID(int=self._dice.getrandbits(128), version=4)
