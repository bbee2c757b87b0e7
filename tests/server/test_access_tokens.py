"""Access tokens: only what this server signed, for this API, in its time, is believed."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from apex_server.auth import AccessTokens, SigningKeys
from apex_server.errors import AccessTokenExpired, AccessTokenInvalid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
USER, DEVICE, SESSION = UUID(int=1), UUID(int=2), UUID(int=3)
KEYS = SigningKeys.derive("the secret of this installation, 32+")
TOKENS = AccessTokens(KEYS)
KEY = KEYS.by_id[KEYS.current]


def issue(tokens: AccessTokens = TOKENS, now: datetime = NOW) -> str:
    return tokens.issue(user_id=USER, role="coach", device_id=DEVICE, session_id=SESSION, now=now)


def forge(claim: dict[str, Any] | None = None, *, key: bytes = KEY, header: dict[str, Any] | None = None) -> str:
    """Sign a good token with something changed; what is set to None is left out. Done by hand: no library would."""
    head = {"alg": "HS256", "kid": KEYS.current, "typ": "at+jwt"} | (header or {})
    claims = jwt.decode(issue(), options={"verify_signature": False}) | (claim or {})
    signed = f"{segment(head)}.{segment(claims)}"
    digest = {"HS256": "sha256", "RS256": "sha256", "HS512": "sha512"}.get(str(head["alg"]))
    return f"{signed}.{encode(hmac.digest(key, signed.encode(), digest)) if digest else ''}"


def segment(content: dict[str, Any]) -> str:
    present = {name: value for name, value in content.items() if value is not None}
    return encode(json.dumps(present, separators=(",", ":")).encode())


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def resigned_by_rsa() -> str:
    """The claims of a good token under a signature that is good, too, for whoever believes the key that comes along."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    claims = jwt.decode(issue(), options={"verify_signature": False})
    return jwt.encode(claims, private, algorithm="RS256", headers={"typ": "at+jwt", "kid": KEYS.current})


def test_a_token_says_who_calls() -> None:
    caller = TOKENS.read(issue(), now=NOW)
    assert (caller.user_id, caller.role, caller.device_id, caller.session_id) == (USER, "coach", DEVICE, SESSION)
    assert caller.expires_at == NOW.timestamp() + 900


def test_the_forger_of_these_tests_makes_a_good_token_when_nothing_is_changed() -> None:
    assert TOKENS.read(forge(), now=NOW) == TOKENS.read(issue(), now=NOW)


def test_a_token_ends_after_a_quarter_of_an_hour() -> None:
    token = issue()
    TOKENS.read(token, now=NOW + timedelta(seconds=899))
    with pytest.raises(AccessTokenExpired):
        TOKENS.read(token, now=NOW + timedelta(seconds=900))


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forge(header={"alg": "none"}), id="unsigned"),
        pytest.param(forge(header={"alg": "nOnE"}), id="unsigned, spelled otherwise"),
        pytest.param(forge(header={"alg": "RS256"}), id="an asymmetric algorithm with the key as its secret"),
        pytest.param(forge(header={"alg": "HS512"}), id="another algorithm under the same key"),
        pytest.param(forge(key=b"k" * 32), id="another key"),
        pytest.param(forge(header={"kid": "0123456789abcdef"}), id="a foreign kid"),
        pytest.param(forge(header={"kid": None}), id="no kid"),
        pytest.param(forge(header={"typ": "JWT"}), id="another type of token"),
        pytest.param(forge(header={"crit": ["x"], "x": 1}), id="a critical extension"),
        pytest.param(forge(header={"jku": "https://evil.example/keys"}), id="a key from elsewhere"),
        pytest.param(forge(header={"x5u": "https://evil.example/certificate"}), id="a certificate from elsewhere"),
        pytest.param(forge(header={"jwk": {"kty": "oct", "k": encode(b"k" * 32)}}, key=b"k" * 32), id="its own key"),
        pytest.param(forge(header={"kid": "../../dev/null"}, key=b""), id="a kid that is a path"),
        pytest.param(forge(header={"kid": KEYS.current, "alg": "HS256 "}), id="an algorithm with a blank"),
        pytest.param(forge(header={"typ": "refresh+jwt"}), id="a token for another purpose"),
        pytest.param(resigned_by_rsa(), id="signed by a key pair of the forger"),
        pytest.param(forge({"aud": ["apex-api", "another-api"]}, key=b"k" * 32), id="two audiences, another key"),
        pytest.param(".".join(forge().split(".")[:2]), id="two parts"),
        pytest.param(forge().split(".")[0] + "..", id="a header alone"),
        pytest.param(forge().replace(".", ". ", 1), id="a blank inside"),
        pytest.param(forge()[:-1] + "\ud800", id="half a character"),
        pytest.param(forge({"iss": "someone-else"}), id="a foreign issuer"),
        pytest.param(forge({"aud": "another-api"}), id="a foreign audience"),
        pytest.param(forge({"aud": ["another-api"]}), id="foreign audiences"),
        pytest.param(forge({"role": "system"}), id="an unknown role"),
        pytest.param(forge({"sub": "anna"}), id="a subject that is no id"),
        pytest.param(forge({"exp": "tomorrow"}), id="a time that is no number"),
        pytest.param(forge({"iat": int(NOW.timestamp()) + 60}), id="issued in the future"),
        *(pytest.param(forge({name: None}), id=f"without {name}")
          for name in ("iss", "aud", "sub", "sid", "did", "role", "iat", "exp", "jti")),
        pytest.param(issue()[:-2], id="cut short"),
        pytest.param(issue().rpartition(".")[0] + ".", id="without signature"),
        pytest.param(issue() + "." + issue(), id="doubled"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="no base64"),
        pytest.param(base64.urlsafe_b64encode(b"[" * 1200).decode() + ".e30.", id="a deeply nested header"),
        pytest.param("x" * 100_000, id="long"),
    ],
)  # fmt: skip
def test_a_forged_token_is_refused(token: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        TOKENS.read(token, now=NOW)


def test_a_forged_token_that_has_expired_as_well_is_invalid_not_expired() -> None:
    with pytest.raises(AccessTokenInvalid):
        TOKENS.read(forge({"exp": 1}, key=b"k" * 32), now=NOW)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_refused_with_the_same_error(text: str) -> None:
    with pytest.raises(AccessTokenInvalid):
        TOKENS.read(text, now=NOW)


@given(st.data())
def test_a_changed_character_never_changes_what_a_token_says(data: st.DataObject) -> None:
    token = issue()
    position = data.draw(st.integers(0, len(token) - 1))
    changed = token[:position] + data.draw(st.characters()) + token[position + 1 :]
    try:
        caller = TOKENS.read(changed, now=NOW)
    except AccessTokenInvalid:
        return
    assert caller == TOKENS.read(token, now=NOW)


def test_a_token_of_a_former_secret_is_taken_while_it_is_named_and_new_ones_bear_the_new_key() -> None:
    former = issue()
    rotated = SigningKeys.derive("a new secret, also long enough to sign", "the secret of this installation, 32+")

    assert AccessTokens(rotated).read(former, now=NOW).user_id == USER
    with pytest.raises(AccessTokenInvalid):
        TOKENS.read(issue(AccessTokens(rotated)), now=NOW)
    with pytest.raises(AccessTokenInvalid):
        AccessTokens(SigningKeys.derive("a new secret, also long enough to sign")).read(former, now=NOW)


def test_a_token_holds_no_name_and_no_address() -> None:
    payload = json.loads(base64.urlsafe_b64decode(issue().split(".")[1] + "=="))
    assert set(payload) == {"iss", "aud", "sub", "sid", "did", "role", "iat", "exp", "jti"}


def test_no_key_is_shown_when_printed() -> None:
    assert KEY.hex() not in repr(KEYS)
    assert repr(KEY) not in repr(KEYS)
