"""What the server is told from outside: environment variables, read once, each with a unit and a default.

    APEX_DATABASE_URL           Postgres as the owner of the schema; without it the server runs its own
    APEX_DATABASE_URL_APP       login of requests (row-level security); default: apex_app on the same Postgres
    APEX_DATABASE_URL_COMMIT    login of the commit path; default: apex_commit on the same Postgres
    APEX_DATA_DIR               where an embedded Postgres, the secret and local media live
    APEX_HOST, APEX_PORT        where to listen; 127.0.0.1:8000
    APEX_PUBLIC_URL             how browsers reach the server; cookies are for HTTPS only when it starts with https://
    APEX_TLS_CERTIFICATE, APEX_TLS_KEY
                                PEM files: the server speaks TLS 1.3 itself; docs/security.md
    APEX_CORS_ORIGINS           origins whose pages may call the API, with commas between; none
    APEX_METRICS_TOKEN          what a scraper of /metrics shows as its bearer token; without it only this machine
                                may read them
    APEX_SECRET                 at least 32 characters; signs tokens, and the role passwords follow from it;
                                default: made once and kept in the data directory
    APEX_MASTER_KEY             32 bytes in base64; wraps the keys that people's records are sealed with;
                                default: the file `master_key` in the data directory, made once
    APEX_MASTER_KEY_FILE        in its place: a file with that key, and former ones on lines below it, which others than
                                the server write, and not everybody may read
    APEX_FORMER_MASTER_KEYS     separated by commas: what was APEX_MASTER_KEY before, or will be soon
    APEX_FORMER_SECRETS         separated by commas: what was APEX_SECRET before, or will be soon
    APEX_SMTP_URL               smtps://user:password@host or smtp://…:587 (STARTTLS); without it mails go to the
                                folder `mails` in the data directory
    APEX_MAIL_FROM              the sender of mails; default: Apex <no-reply@> and the host of APEX_PUBLIC_URL
    APEX_SMS_URL                where text messages are posted as JSON; without it they go to the folder `texts` in the
                                data directory
    APEX_SMS_TOKEN              the bearer token that goes with them
    APEX_TRUSTED_PROXIES        networks of our own proxies, as 10.0.0.0/8,fd00::/8: who asks is then read from the
                                X-Forwarded-For header that they write; default: nobody is believed
    APEX_OPENAI_API_KEY         or OPENAI_API_KEY; without it the template provider words the insights
    APEX_OPENAI_BASE_URL, APEX_OPENAI_MODEL
    APEX_MODEL_TOKENS_PER_DAY   of all coaches together, by the day in UTC; 5000000. When they are spent, the template
                                words the insights
    APEX_ANALYSIS_QUIET_SECONDS how long an athlete's record must be quiet before it is analysed; 60
    APEX_ANALYSIS_MAX_SECONDS   how long analysis may be put off at most; 600
    APEX_LIMITS_FACTOR          what the limits of all tiers are multiplied by (docs/limits.md); 1
    APEX_BACKUP_DIR             where backups are; the worker deletes those older than 90 days, but for the newest, and
                                takes the keys of the erased out of the key file
    APEX_S3_BUCKET              where photos and files go; without it to the folder `media` in the data directory
    APEX_S3_ENDPOINT, APEX_S3_REGION
                                of a bucket that is not Amazon's; its keys come as for AWS's own tools (docs/media.md)
    APEX_SECOND_FACTOR_DEMANDED true: coaches, owners and support may do nothing before their session has shown a second
                                factor (docs/sign_in.md); default: each organisation's owner says so
    APEX_LOG_LEVEL              debug, info, warning or error
    APEX_WORKERS                number of server processes

An empty variable counts as unset. Nothing here is printed: `repr` masks what opens doors.
"""

import ipaddress
import os
import secrets
import tempfile
from collections.abc import Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

import msgspec
from typing_extensions import override

__all__ = ["Settings", "SettingsError", "default_data_dir"]

LogLevel = Literal["debug", "info", "warning", "error"]

SECRET_CHARACTERS_MIN = 32  # 128 bits even when written in hex.
WORKERS_MAX = 64  # Beyond this a typing error is likelier than a machine that large.
LIMITS_FACTOR_MIN, LIMITS_FACTOR_MAX = 0.001, 1_000_000.0  # From a trial of what being refused is like, to no limits.
SECONDS_MAX = 86_400.0  # A day: analysis that waits longer is switched off, not debounced.
MODEL_TOKENS_PER_DAY = 5_000_000  # Fifty coaches of thirty athletes who all train; a few dollars of a small model.
MODEL_TOKENS_PER_DAY_MAX = 10**12  # As good as no ceiling.
FORMER_SECRETS_MAX = 8  # Nobody is in the middle of more changes than that.
TRUSTED_PROXIES_MAX = 64  # More networks than the largest provider of proxies publishes.
MASKED = frozenset(
    {
        "database_url",
        "database_url_app",
        "database_url_commit",
        "former_master_keys",
        "former_secrets",
        "master_key",
        "metrics_token",
        "openai_api_key",
        "secret",
        "sms_token",
        "smtp_url",
    }
)
CERTIFICATE_AND_KEY = ("APEX_TLS_CERTIFICATE", "APEX_TLS_KEY")
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class SettingsError(Exception):
    """A setting that cannot be used; the server does not start with a guess in its place."""

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable}: {reason}")
        self.variable = variable
        self.reason = reason


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The server's settings; `Settings.from_environment()` reads them, tests construct them."""

    data_dir: Path
    secret: str
    database_url: str | None = None
    database_url_app: str | None = None
    database_url_commit: str | None = None
    master_key: str | None = None
    master_key_file: Path | None = None
    former_master_keys: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    public_url: str | None = None
    former_secrets: tuple[str, ...] = ()
    smtp_url: str | None = None
    mail_from: str | None = None
    sms_url: str | None = None
    sms_token: str | None = None
    trusted_proxies: tuple[str, ...] = ()
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    cors_origins: str | None = None
    metrics_token: str | None = None
    openai_api_key: str | None = None
    openai_base_url: str | None = None
    openai_model: str = "gpt-5-mini"
    model_tokens_per_day: int = MODEL_TOKENS_PER_DAY
    analysis_quiet_seconds: float = 60.0
    analysis_max_seconds: float = 600.0
    limits_factor: float = 1.0
    second_factor_demanded: bool = False
    log_level: LogLevel = "info"
    workers: int = 1
    backup_dir: Path | None = None
    s3_bucket: str | None = None
    s3_endpoint: str | None = None
    s3_region: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Settings":
        """Read every setting; without APEX_SECRET makes one, the first time, in the data directory.

        Raises SettingsError for the first value that cannot be used.
        """
        given = {name: value.strip() for name, value in environment.items() if value.strip()}
        data_dir = read_data_dir(given)
        settings = cls(
            data_dir=data_dir,
            backup_dir=Path(given["APEX_BACKUP_DIR"]).absolute() if "APEX_BACKUP_DIR" in given else None,
            secret=read_secret(given, data_dir),
            database_url=read_database_url(given, "APEX_DATABASE_URL"),
            database_url_app=read_database_url(given, "APEX_DATABASE_URL_APP"),
            database_url_commit=read_database_url(given, "APEX_DATABASE_URL_COMMIT"),
            master_key=given.get("APEX_MASTER_KEY"),
            master_key_file=read_file_name(given, "APEX_MASTER_KEY_FILE"),
            former_master_keys=read_list(given, "APEX_FORMER_MASTER_KEYS"),
            host=given.get("APEX_HOST", "127.0.0.1"),
            port=read_int(given, "APEX_PORT", 8000, low=0, high=65_535),
            public_url=read_http_url(given, "APEX_PUBLIC_URL"),
            former_secrets=read_former_secrets(given),
            smtp_url=read_url(given, "APEX_SMTP_URL", ("smtps", "smtp")),
            mail_from=read_mail_from(given),
            sms_url=read_http_url(given, "APEX_SMS_URL"),
            sms_token=given.get("APEX_SMS_TOKEN"),
            trusted_proxies=read_trusted_proxies(given),
            tls_certificate=read_file_name(given, "APEX_TLS_CERTIFICATE"),
            tls_key=read_file_name(given, "APEX_TLS_KEY"),
            cors_origins=read_origins(given, "APEX_CORS_ORIGINS"),
            metrics_token=read_metrics_token(given, "APEX_METRICS_TOKEN"),
            openai_api_key=given.get("APEX_OPENAI_API_KEY", given.get("OPENAI_API_KEY")),
            openai_base_url=read_http_url(given, "APEX_OPENAI_BASE_URL"),
            openai_model=given.get("APEX_OPENAI_MODEL", "gpt-5-mini"),
            model_tokens_per_day=read_int(
                given, "APEX_MODEL_TOKENS_PER_DAY", MODEL_TOKENS_PER_DAY, low=0, high=MODEL_TOKENS_PER_DAY_MAX
            ),
            analysis_quiet_seconds=read_seconds(given, "APEX_ANALYSIS_QUIET_SECONDS", 60.0),
            analysis_max_seconds=read_seconds(given, "APEX_ANALYSIS_MAX_SECONDS", 600.0),
            limits_factor=read_limits_factor(given),
            second_factor_demanded=read_switch(given, "APEX_SECOND_FACTOR_DEMANDED"),
            log_level=read_log_level(given),
            workers=read_int(given, "APEX_WORKERS", 1, low=1, high=WORKERS_MAX),
            s3_bucket=given.get("APEX_S3_BUCKET"),
            s3_endpoint=read_http_url(given, "APEX_S3_ENDPOINT"),
            s3_region=given.get("APEX_S3_REGION"),
        )
        check_together(settings)
        return settings

    @property
    def speaks_tls(self) -> bool:
        """Whether the server itself speaks TLS."""
        return self.tls_certificate is not None

    @property
    def is_https(self) -> bool:
        """Whether browsers reach the server over HTTPS, be it through a proxy."""
        return self.speaks_tls or (self.public_url or "").startswith("https://")

    @property
    def page_url(self) -> str:
        """The address that people open, and that links in mails begin with.

        Without APEX_PUBLIC_URL that is a developer's machine, by its name: browsers make no passkeys for a number.
        """
        is_here = self.host in LOOPBACK_HOSTS or not self.host.strip("0.:")  # All of this machine's: 0.0.0.0 and ::.
        host = "localhost" if is_here else self.host
        return self.public_url or f"{'https' if self.speaks_tls else 'http'}://{host}:{self.port}"

    @property
    def allowed_origins(self) -> list[str]:
        """The origins of other sites whose pages may call the API with a token."""
        return [] if self.cors_origins is None else self.cors_origins.split(",")

    @override
    def __repr__(self) -> str:
        shown = (
            f"{name}={'***' if name in MASKED and value else repr(value)}"
            for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__)
        )
        return f"Settings({', '.join(shown)})"


def default_data_dir() -> Path:
    """Where the data lives when nobody says otherwise: `~/.local/share/apex-server`."""
    return Path.home() / ".local" / "share" / "apex-server"


def check_together(settings: Settings) -> None:
    if settings.analysis_max_seconds < settings.analysis_quiet_seconds:
        raise SettingsError("APEX_ANALYSIS_MAX_SECONDS", "must not be less than APEX_ANALYSIS_QUIET_SECONDS")
    if settings.database_url is None and (settings.database_url_app or settings.database_url_commit):
        variable = "APEX_DATABASE_URL_APP" if settings.database_url_app else "APEX_DATABASE_URL_COMMIT"
        raise SettingsError(variable, "needs APEX_DATABASE_URL beside it, which migrates the schema")
    if settings.former_master_keys and settings.master_key is None:
        raise SettingsError("APEX_FORMER_MASTER_KEYS", "needs APEX_MASTER_KEY beside it, the current one")
    if settings.master_key_file and settings.master_key:
        raise SettingsError("APEX_MASTER_KEY_FILE", "and APEX_MASTER_KEY are two places for one key; unset one of them")
    if (settings.tls_certificate is None) is not (settings.tls_key is None):
        given, missing = CERTIFICATE_AND_KEY if settings.tls_key is None else CERTIFICATE_AND_KEY[::-1]
        raise SettingsError(missing, f"is needed beside {given}")


def read_file_name(given: Mapping[str, str], variable: str) -> Path | None:
    return Path(given[variable]).expanduser().absolute() if variable in given else None


def read_origins(given: Mapping[str, str], variable: str) -> str | None:
    """Read a list of origins; each is exact, because whoever may call the API may do all that its user may."""
    if variable not in given:
        return None
    origins = [origin.strip() for origin in given[variable].split(",")]
    for origin in origins:
        parts = urlsplit(origin)
        if origin != f"{parts.scheme}://{parts.netloc}" or parts.scheme not in ("https", "http") or "*" in origin:
            raise SettingsError(variable, f"{origin!r} is no origin such as https://app.example")
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            raise SettingsError(variable, f"{origin} must start with https://")
    return ",".join(origins)


def read_metrics_token(given: Mapping[str, str], variable: str) -> str | None:
    return checked_secret(variable, given[variable]) if variable in given else None


def read_data_dir(given: Mapping[str, str]) -> Path:
    try:
        path = Path(given["APEX_DATA_DIR"]).expanduser() if "APEX_DATA_DIR" in given else default_data_dir()
    except RuntimeError as error:
        raise SettingsError("APEX_DATA_DIR", f"must be set: {error}") from error
    if path.exists() and not path.is_dir():
        raise SettingsError("APEX_DATA_DIR", f"{path} is not a directory")
    return path.absolute()


def read_secret(given: Mapping[str, str], data_dir: Path) -> str:
    if "APEX_SECRET" in given:
        return checked_secret("APEX_SECRET", given["APEX_SECRET"])
    path = data_dir / "secret"
    try:
        if not path.exists():
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_secret(path)
        return checked_secret(f"APEX_SECRET from {path}", path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeError) as error:
        raise SettingsError("APEX_SECRET", f"is not set, and {path} cannot be used: {error}") from error


def checked_secret(variable: str, secret: str) -> str:
    if len(secret) < SECRET_CHARACTERS_MIN:
        raise SettingsError(variable, f"needs at least {SECRET_CHARACTERS_MIN} characters, has {len(secret)}")
    return secret


def read_former_secrets(given: Mapping[str, str]) -> tuple[str, ...]:
    variable = "APEX_FORMER_SECRETS"
    former = [each.strip() for each in given.get(variable, "").split(",") if each.strip()]
    if len(former) > FORMER_SECRETS_MAX:
        raise SettingsError(variable, f"names {len(former)} secrets, at most {FORMER_SECRETS_MAX} are of use")
    return tuple(checked_secret(variable, each) for each in former)


def read_mail_from(given: Mapping[str, str]) -> str | None:
    sender = given.get("APEX_MAIL_FROM")
    if sender is not None and "@" not in parseaddr(sender)[1]:
        raise SettingsError("APEX_MAIL_FROM", "must be an e-mail address, or a name with one: Apex <no-reply@…>")
    return sender


def read_trusted_proxies(given: Mapping[str, str]) -> tuple[str, ...]:
    variable = "APEX_TRUSTED_PROXIES"
    networks = given.get(variable, "").replace(",", " ").split()
    if len(networks) > TRUSTED_PROXIES_MAX:
        raise SettingsError(variable, f"names {len(networks)} networks, at most {TRUSTED_PROXIES_MAX} are taken")
    try:
        return tuple(str(ipaddress.ip_network(each)) for each in networks)
    except ValueError as error:
        raise SettingsError(variable, f"{error}; a network looks like 10.0.0.0/8 or fd00::/8") from error


def make_secret(path: Path) -> None:
    """Write a new secret whole or not at all; of two processes that do so at once, one wins for both."""
    descriptor, name = tempfile.mkstemp(prefix=".secret.", dir=path.parent)  # mkstemp makes it 0600.
    written = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(written)
    except FileExistsError:
        return
    finally:
        written.unlink()


def read_list(given: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in given.get(variable, "").split(",") if part.strip())


def read_database_url(given: Mapping[str, str], variable: str) -> str | None:
    return read_url(given, variable, ("postgresql", "postgres"))


def read_http_url(given: Mapping[str, str], variable: str) -> str | None:
    return read_url(given, variable, ("https", "http"))


def read_url(given: Mapping[str, str], variable: str, schemes: tuple[str, ...]) -> str | None:
    url = given.get(variable)
    try:
        known = url is None or urlsplit(url).scheme in schemes
    except ValueError as error:
        raise SettingsError(variable, f"is no address: {error}") from error
    if not known:
        raise SettingsError(variable, f"must start with {schemes[0]}://")
    return url


def read_int(given: Mapping[str, str], variable: str, default: int, *, low: int, high: int) -> int:
    try:
        number = int(given.get(variable, default))
    except ValueError:
        raise SettingsError(variable, f"{given[variable]!r} is not a whole number") from None
    if not low <= number <= high:
        raise SettingsError(variable, f"{number} is not between {low} and {high}")
    return number


def read_seconds(given: Mapping[str, str], variable: str, default: float) -> float:
    try:
        seconds = float(given.get(variable, default))
    except ValueError:
        raise SettingsError(variable, f"{given[variable]!r} is not a number of seconds") from None
    if not 0 <= seconds <= SECONDS_MAX:
        raise SettingsError(variable, f"{seconds:g} is not between 0 and {SECONDS_MAX:g} seconds")
    return seconds


def read_limits_factor(given: Mapping[str, str]) -> float:
    variable = "APEX_LIMITS_FACTOR"
    try:
        factor = float(given.get(variable, 1.0))
    except ValueError:
        raise SettingsError(variable, f"{given[variable]!r} is not a number") from None
    if not LIMITS_FACTOR_MIN <= factor <= LIMITS_FACTOR_MAX:
        raise SettingsError(variable, f"{factor:g} is not between {LIMITS_FACTOR_MIN:g} and {LIMITS_FACTOR_MAX:g}")
    return factor


def read_switch(given: Mapping[str, str], variable: str) -> bool:
    word = given.get(variable, "false").lower()
    if word not in ("true", "false"):
        raise SettingsError(variable, f"{given[variable]!r} is neither true nor false")
    return word == "true"


def read_log_level(given: Mapping[str, str]) -> LogLevel:
    level = given.get("APEX_LOG_LEVEL", "info").lower()
    for known in get_args(LogLevel):
        if level == known:
            return known  # type: ignore[no-any-return]
    raise SettingsError("APEX_LOG_LEVEL", f"{level!r} is not one of {', '.join(get_args(LogLevel))}")
