"""Who uses a replica, and how they prove it."""

from typing import Literal

from msgspec import Struct

Role = Literal["athlete", "coach"]
DeviceKind = Literal["phone", "watch", "tablet", "web", "desktop"]


class Credentials(Struct, frozen=True):
    """E-mail address and password; kept in memory only, used when a sync finds nobody signed in."""

    email: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.email!r}, ...)"


class User(Struct, frozen=True):
    """Whose replica this is; whether the address is confirmed, as far as this device has heard."""

    id: str
    email: str
    name: str
    role: Role
    email_verified: bool = False


class Session(Struct, frozen=True):
    """What a device keeps to stay signed in; it stands in the replica file, which only its owner may read."""

    user: User
    server: str
    access_token: str
    refresh_token: str
    expires_us: int

    def __repr__(self) -> str:
        return f"Session({self.user!r}, {self.server!r}, ...)"


class Tokens(Struct, frozen=True, kw_only=True):
    """What a server gives to go on with; `expires_in` seconds until the access token is no good any more."""

    access_token: str
    refresh_token: str
    expires_in: float

    def __repr__(self) -> str:
        return "Tokens(...)"


class Me(Struct, frozen=True):
    """What a server tells of whoever is signed in."""

    user: User


class SignedIn(Tokens, frozen=True, kw_only=True):
    """What a server answers to a sign-in."""

    user: User
    device_token: str | None = None

    def __repr__(self) -> str:
        return f"SignedIn({self.user!r}, ...)"
