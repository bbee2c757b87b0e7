"""What can go wrong on a device.

    ClientError                 (an apex_sync.errors.ApexError)
    ├── ReplicaError            the file
    │   ├── NotAReplica         another program's file, or no database at all
    │   │   └── KeyNeeded       it is encrypted, as far as one can tell without its key
    │   ├── WrongKey            encrypted with another key
    │   ├── NotEncrypted        a key was given, and the file is plain
    │   ├── ReplicaDamaged      SQLite finds the file corrupt; nothing was written to it
    │   ├── ReplicaReadOnly     the file or its folder may not be written
    │   ├── ReplicaInUse        another process, or another Replica here, has it open
    │   ├── ReplicaNewer        written by a newer version of this app
    │   ├── MigrationFailed     the file is as it was before
    │   ├── DiskFull            what was being saved is not; everything before is
    │   └── ReplicaClosed       used before it was opened or after it was closed
    ├── KeyUnusable             no key can look like this
    ├── EncryptionMissing       SQLCipher is not installed
    ├── RecordError
    │   ├── NoSuchRecord
    │   ├── NoSuchEntry         no such exercise, set or photo in this record
    │   ├── AthleteNeeded       a coach must say whose record it is
    │   ├── CoachNeeded         only a coach has clients
    │   ├── NotGranted          no access to these records (any more)
    │   ├── ThreadEncrypted     said in the open where everything is encrypted
    │   ├── NewDevices          somebody in an encrypted thread has a device that was not accepted
    │   ├── NoDeviceToRead      nobody on the other side could read what is encrypted
    │   ├── EditTooLarge        more than one op holds
    │   └── RecordFull          the record says as much as a record can
    ├── MediaUnusable           a photo or file that cannot be handed in
    ├── QueryFailed             SQL that SQLite refuses
    ├── UnsentWork              signing out or changing users would discard it
    │   ├── AddressUnconfirmed  what was logged in this account opens on this device alone
    │   └── AnotherUser         the unsent work in this file belongs to somebody else
    ├── SignedInAlready         somebody else is; signing out comes first
    ├── AccountExists           whose session is over has an account; sign in to it, don't make another
    ├── CoachOnAthleteReplica   a coach signs in where an athlete has logged without an account
    └── SyncFailed              nothing is lost; what is unsent stays in the outbox
        ├── NoServer            no server was ever named
        ├── ServerUnreachable   no network, no answer, or no trusted certificate
        ├── InsecureServer      plain http, or TLS older than 1.3
        ├── SignedOut           sign in again
        │   ├── SessionEnded    the account stands, this session of it does not
        │   ├── WrongCredentials
        │   └── MfaRequired     the password is right; a code is wanted, too
        ├── AccountErased       the person had the account erased; nothing of it is here any more
        ├── ServerBusy          the server asked to come back later
        │   └── Throttled       this account has used up what it may use for now
        ├── ServerRefused       the server's problem document, by its `code`
        │   ├── WrongCode       the code of the second factor is not right
        │   └── SignInAgain     what cannot be taken back wants the password again
        ├── ExportFailed        the copy of everything was not made
        ├── ServerIncompatible  a server of another protocol version
        └── BadAnswer           what came is no answer of this protocol

Values out of bounds and fields of another role are refused with the engine's `OutOfBounds` and `ForbiddenField`.
Errors of importing a file stand in `apex_client.importers.errors`.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from apex_sync.errors import ApexError, FieldProblem

if TYPE_CHECKING:
    from apex_client.overview import ThreadDevice

RETRY_AFTER_SECONDS_MAX = 3600.0


class ClientError(ApexError):
    """The root of every error the SDK raises on purpose."""


class ReplicaError(ClientError):
    """Something is wrong with the replica file."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NotAReplica(ReplicaError):
    """A file that this SDK did not make; it was left alone."""


class KeyNeeded(NotAReplica):
    """A file of noise, as an encrypted replica is one; it was left alone."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "is encrypted, or no replica; give its encryption_key (apex --key-file)")


class WrongKey(ReplicaError):
    """The key does not open the file, which was left as it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "does not open with this key: it is another's, or the file is damaged")


class NotEncrypted(ReplicaError):
    """A key was given for a plain file, which was left plain: an app must not believe that it is encrypted."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "is not encrypted; encrypt it once with change_replica_key (apex encrypt)")


class ReplicaDamaged(ReplicaError):
    """A file that SQLite cannot read any more; it was left as it is, so that it can be rescued."""


class ReplicaReadOnly(ReplicaError):
    """A file, or a folder around it, that this user may not write."""


class ReplicaInUse(ReplicaError):
    """A file that another process has open, or this one a second time."""


class ReplicaNewer(ReplicaError):
    """A file whose schema is newer than this SDK: update the app."""

    def __init__(self, path: Path, schema_version: int, known_version: int) -> None:
        super().__init__(path, f"has schema {schema_version}, this version of the app knows {known_version}; update it")
        self.schema_version = schema_version
        self.known_version = known_version


class MigrationFailed(ReplicaError):
    """A schema migration did not go through; the file is as it was before."""


class DiskFull(ReplicaError):
    """No room was left; what was being saved is not saved, everything before it is."""


class ReplicaClosed(ReplicaError):
    """A replica that is not open."""


class MediaUnusable(ClientError):
    """A photo or file that cannot be handed in, or is not what was sent; nothing of it is kept."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class KeyUnusable(ClientError):
    """A key of the wrong kind or length."""


class EncryptionMissing(ClientError):
    """The part that encrypts is an extra, and is not here."""

    def __init__(self) -> None:
        super().__init__("encrypted replicas need SQLCipher: pip install 'apex-sync-client[encrypted]'")


class RecordError(ClientError):
    """Something is wrong with what was asked of a record; nothing was saved."""


class NoSuchRecord(RecordError):
    """No record of this kind and id is here."""

    def __init__(self, collection: str, record_id: str) -> None:
        super().__init__(f"no record {record_id} in {collection}")
        self.collection = collection
        self.record_id = record_id


class NoSuchEntry(RecordError):
    """No exercise, set or photo by this key or name is in the record."""

    def __init__(self, record_id: str, noun: str, entry: str) -> None:
        super().__init__(f"no {noun} {entry!r} in {record_id}")
        self.record_id = record_id
        self.noun = noun
        self.entry = entry


class AthleteNeeded(RecordError):
    """A coach's replica holds several athletes: use `replica.athlete(id)`."""

    def __init__(self) -> None:
        super().__init__("whose record is it? use replica.athlete(athlete_id)")


class CoachNeeded(RecordError):
    """How clients stand is seen on the device of their coach."""

    def __init__(self) -> None:
        super().__init__("this is for coaches: sign in as one, and sync")


class ThreadNeeded(RecordError):
    """There is no thread with that person here, or several and nobody was named."""

    def __init__(self, person_id: str | None, *, none: bool) -> None:
        if person_id is not None:
            reason = f"no thread with {person_id}; a sync brings one once you are linked"
        elif none:
            reason = "nobody to write to yet; a sync brings a thread once coach and athlete are linked"
        else:
            reason = "with whom? use replica.messages.thread(person_id)"
        super().__init__(reason)
        self.person_id = person_id


class NotGranted(RecordError):
    """The scope was never granted to this user, or is not any more."""

    def __init__(self, scope: str) -> None:
        super().__init__(f"no access to {scope}")
        self.scope = scope


class ThreadEncrypted(RecordError):
    """What is said in this thread is encrypted, and this was not."""

    def __init__(self, scope: str) -> None:
        super().__init__("this thread is encrypted: say it by messages.send, and send files by messages.send_file")
        self.scope = scope


class NewDevices(RecordError):
    """There are devices in an encrypted thread that were not accepted; nothing was sent."""

    def __init__(self, devices: "Sequence[ThreadDevice]") -> None:
        named = ", ".join(f"{each.device} ({each.side})" for each in devices)
        super().__init__(
            f"not sent, because of a new device: {named}; ask its owner whether it is theirs, or compare"
            " messages.safety_number, then messages.accept it"
        )
        self.devices = devices


class NoDeviceToRead(RecordError):
    """Nobody on the other side has a device that messages could be encrypted for."""

    def __init__(self, side: str) -> None:
        super().__init__(f"no device of the {side} can read what is encrypted; it needs a sync with an app of today")
        self.side = side


class EditTooLarge(RecordError):
    """One edit with more content than an op holds."""

    def __init__(self, size_bytes: int, limit_bytes: int) -> None:
        super().__init__(f"an edit of {size_bytes} bytes, at most {limit_bytes}; make it in smaller steps")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class RecordFull(RecordError):
    """A record that has no room for the edit, even without what was overwritten; what was saved before stays."""

    def __init__(self, record_id: str) -> None:
        super().__init__(f"{record_id} holds as much as a record can: shorten it, or go on in a new one")
        self.record_id = record_id


class QueryFailed(ClientError):
    """SQL that SQLite refuses, or that tries to write, of which SQLite speaks as of files and views."""

    def __init__(self, reason: str) -> None:
        is_write = "readonly database" in reason or "cannot modify" in reason
        super().__init__("a query only reads" if is_write else reason)


class UnsentWork(ClientError):
    """Work that the server does not have yet would be discarded; `count` records hold it."""

    def __init__(self, count: int, reason: str = "") -> None:
        super().__init__(
            reason or f"work in {count} record{'s' * (count != 1)} was never sent; sync first, or discard it explicitly"
        )
        self.count = count


class AddressUnconfirmed(UnsentWork):
    """Signing out of an account whose mail was never answered: nothing but this device opens it until then."""

    def __init__(self, count: int, email: str) -> None:
        super().__init__(
            count,
            f"{email} is not confirmed, and only this device can open the account with its {count} records: open the"
            " mailed link first; if the mail says that you have another account, sign in to that one without signing"
            " out, and what is here comes along (apex login)",
        )
        self.email = email


class AnotherUser(UnsentWork):
    """The file holds unsent work of another user, whose outbox it stays."""

    def __init__(self, count: int, user_id: str) -> None:
        super().__init__(count, f"{count} records hold unsent work of user {user_id}; sync as that user first")
        self.user_id = user_id


class SignedInAlready(ClientError):
    """Another user is signed in, whose records would go; sign out first.

    `same_address` tells that it is of the address that was named, and that nothing of it would come along.
    """

    def __init__(self, email: str, *, same_address: bool = False) -> None:
        advice = "take a copy of what is here (apex export), then sign out" if same_address else "sign out first"
        super().__init__(f"you are signed in as {email}; {advice}: apex logout")
        self.email = email
        self.same_address = same_address


class AccountExists(ClientError):
    """The account whose session ended here stands; another one beside it could never have the address."""

    def __init__(self, email: str) -> None:
        super().__init__(f"you have an account as {email}, and its session ended; sign in again: apex login")
        self.email = email


class CoachOnAthleteReplica(ClientError):
    """Records logged here without an account belong to an athlete; a coach has no place for them."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} records were logged here by an athlete without an account; sign in as the athlete")
        self.count = count


class SyncFailed(ClientError):
    """A sync did not go through; nothing is lost, and trying again is always safe."""


class NoServer(SyncFailed):
    """No server was ever named: `Replica.open(..., server=...)` or `replica.login(...)`."""

    def __init__(self) -> None:
        super().__init__("no server is known; give one to Replica.open or replica.login")


class ServerUnreachable(SyncFailed):
    """There was no network, no answer in time, or no trusted TLS connection."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server} cannot be reached: {reason}")
        self.server = server
        self.reason = reason


class InsecureServer(SyncFailed):
    """A server that others in the network could read along with; nothing was sent to it."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(
            f"{server or 'no server'} is not used: {reason}; use an https:// address of a server with TLS 1.3, or, in a"
            " network that you trust, allow_insecure=True (apex --insecure)"
        )
        self.server = server
        self.reason = reason


class SignedOut(SyncFailed):
    """The server does not know this session; sign in again. Unsent work stays."""

    def __init__(self, reason: str = "sign in to sync") -> None:
        super().__init__(reason)


class SessionEnded(SignedOut):
    """The server knows the account and ended this session: sign in again. Unsent work stays."""


class AccountErased(SyncFailed):
    """The account was erased 30 days after its person asked for it; everything of it was taken off this device."""

    def __init__(self) -> None:
        super().__init__("this account was erased, and everything of it was taken off this device")


class WrongCredentials(SignedOut):
    """The e-mail address or the password is wrong; or the account was made on another device and waits for its mail.

    The server does not say which: until the mailed link is used, a password opens an account where it was made.
    """

    def __init__(self) -> None:
        super().__init__("the e-mail address or the password is wrong")


def is_totp(code: str) -> bool:
    """Tell whether a code is one of an authenticator app, or by SMS, and no recovery code."""
    return re.fullmatch(r"\d{6}", code.replace(" ", "")) is not None


class MfaRequired(SignedOut):
    """The password is right, and the account wants a code: hand this to `replica.finish_login`, with the code.

    `methods` are what will do: `totp` (an authenticator app), `sms` (`replica.send_mfa_code` has one sent to the phone
    that `phone_hint` ends), `recovery_code`. Good for five minutes, on this device.
    """

    def __init__(self, methods: Sequence[str], phone_hint: str | None, token: str) -> None:
        super().__init__(f"this account wants a second factor: {', '.join(methods)}")
        self.methods = tuple(methods)
        self.phone_hint = phone_hint
        self.token = token
        self.server = ""
        self.device_token: str | None = None

    def method_of(self, code: str) -> str:
        """Tell what kind of code this is: six digits are of the app, or else by SMS; all others recovery codes."""
        if not is_totp(code):
            return "recovery_code"
        return "totp" if "totp" in self.methods else "sms"


class ServerBusy(SyncFailed):
    """The server asked to come back in `retry_after` seconds, of which an hour at most is believed."""

    def __init__(self, retry_after: float) -> None:
        self.retry_after = max(0.0, min(RETRY_AFTER_SECONDS_MAX, retry_after))  # In this order NaN is an hour, too.
        super().__init__(f"the server is busy, come back in {self.retry_after:.0f} s")


class Throttled(ServerBusy):
    """The account has used up what it may use for now, and the server takes nothing of it for `retry_after` seconds.

    Until then the SDK does not even ask. What is unsent stays, and goes up afterwards.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.args = (f"the server asks this account to wait for {max(1.0, self.retry_after):.0f} s; nothing is lost",)


class ServerRefused(SyncFailed):
    """The server said no, in a problem document; `code` is stable, `detail` is for people.

    `fields` are the ones that it does not take, each with what is wrong with it.
    """

    def __init__(self, status: int, code: str, detail: str, fields: Sequence[FieldProblem] = ()) -> None:
        named = "; ".join(": ".join(filter(None, problem)) for problem in fields)
        super().__init__(f"the server refused ({status} {code}): {named or detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = tuple(fields)


class WrongCode(ServerRefused):
    """The code of the second factor is wrong, too old, or was used before; try the next one."""


class SignInAgain(ServerRefused):
    """The session stands, and is too old for what was asked: call `replica.reauthenticate`, then ask again."""


class ExportFailed(SyncFailed):
    """The server did not make the copy of everything that was asked for."""


class ServerIncompatible(SyncFailed):
    """A server that speaks another version of the protocol."""

    def __init__(self, server_version: int, own_version: int) -> None:
        super().__init__(
            f"the server speaks sync protocol {server_version}, this app {own_version}; update the older one"
        )
        self.server_version = server_version
        self.own_version = own_version


class BadAnswer(SyncFailed):
    """Bytes that are no answer of this protocol: a proxy's page, a cut body, a bomb."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not an answer of this protocol: {reason}")
        self.reason = reason
