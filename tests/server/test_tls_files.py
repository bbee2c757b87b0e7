"""The certificate and its key: what cannot be used is said before anybody is served, and takes no good one's place."""

from pathlib import Path

import pytest

from apex_server.serving import web_command
from apex_server.settings import Settings, SettingsError
from apex_server.tls import CertificateFiles
from tests.certificates import Authority

SECRET = "a secret for tests, long enough to be taken"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def files(tmp_path: Path, certificate: Path, key: Path) -> CertificateFiles:
    return CertificateFiles(certificate, key, tmp_path / "data" / "tls")


def refusal(found: CertificateFiles) -> SettingsError:
    with pytest.raises(SettingsError) as refused:
        found.take()
    assert not found.key.exists(), "nothing half checked is served"
    return refused.value


def test_a_certificate_and_its_key_are_taken_and_nobody_else_may_read_them(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("server")
    taken = files(tmp_path, certificate, key)
    taken.take()
    assert taken.key.read_bytes() == key.read_bytes()
    assert taken.key.stat().st_mode & 0o777 == 0o600
    assert taken.key.parent.stat().st_mode & 0o777 == 0o700


def test_a_missing_file_is_named(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    assert refusal(files(tmp_path, tmp_path / "none.pem", key)).variable == "APEX_TLS_CERTIFICATE"
    found = refusal(files(tmp_path, certificate, tmp_path / "none.key"))
    assert found.variable == "APEX_TLS_KEY" and "none.key" in found.reason


def test_the_key_of_another_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    certificate, _ = authority.issue("server")
    _, key = authority.issue("other")
    assert "is not the key of the certificate" in refusal(files(tmp_path, certificate, key)).reason


def test_a_key_that_everybody_may_read_is_refused_and_one_of_a_group_is_not(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("server")
    key.chmod(0o644)
    assert "chmod 600" in refusal(files(tmp_path, certificate, key)).reason
    key.chmod(0o640)
    files(tmp_path, certificate, key).take()


@pytest.mark.parametrize(
    ("head", "advice"),
    [("ENCRYPTED PRIVATE KEY", "is encrypted"), ("RSA PRIVATE KEY", "PKCS#8"), ("CERTIFICATE", "PKCS#8")],
)
def test_a_key_of_another_kind_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, authority: Authority, head: str, advice: str
) -> None:
    certificate, key = authority.issue("server")
    key.write_text(f"-----BEGIN {head}-----\nAAAA\n-----END {head}-----\n")
    reason = refusal(files(tmp_path, certificate, key)).reason
    assert advice in reason and "openssl pkey -in" in reason


def test_a_file_that_is_no_certificate_is_refused(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    certificate.write_text("not a certificate")
    assert refusal(files(tmp_path, certificate, key)).variable == "APEX_TLS_CERTIFICATE"


def test_what_cannot_be_used_leaves_the_copy_that_is_served(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    taken = files(tmp_path, certificate, key)
    taken.take()
    before = taken.key.read_bytes(), taken.certificate.read_bytes()
    certificate.write_bytes(authority.issue("renewed")[0].read_bytes())
    with pytest.raises(SettingsError):
        taken.take()
    assert (taken.key.read_bytes(), taken.certificate.read_bytes()) == before
    assert sorted(path.name for path in taken.key.parent.iterdir()) == ["certificate.pem", "key.pem"]


def test_a_change_of_either_file_is_noticed_behind_a_symbolic_link_too(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    link = tmp_path / "live.pem"
    link.symlink_to(certificate)
    named = files(tmp_path, link, key)
    before = named.signature()
    link.unlink()
    assert named.signature() is None
    link.symlink_to(authority.issue("renewed")[0])
    assert named.signature() not in (before, None)


def test_a_certificate_without_a_key_is_refused(tmp_path: Path) -> None:
    for given, missing in (
        ("APEX_TLS_CERTIFICATE", "APEX_TLS_KEY"),
        ("APEX_TLS_KEY", "APEX_TLS_CERTIFICATE"),
    ):
        with pytest.raises(SettingsError) as refused:
            Settings.from_environment({"APEX_DATA_DIR": str(tmp_path), given: "some.pem"})
        assert refused.value.variable == missing


def test_web_processes_speak_1_3_or_nothing(tmp_path: Path, authority: Authority) -> None:
    certificate, key = authority.issue("server")
    settings = Settings(data_dir=tmp_path, secret=SECRET, tls_certificate=certificate, tls_key=key)
    words = web_command(settings)
    assert words[words.index("--ssl-protocol-min") + 1] == "tls1.3"
    assert "--ssl-keyfile" not in web_command(Settings(data_dir=tmp_path, secret=SECRET))
