"""Settings: what is read from the environment, what is made once, and what is refused."""

import threading
from pathlib import Path
from typing import Any

import pytest

from apex_server.settings import Settings, SettingsError, default_data_dir

SECRET = "a secret for tests, long enough to be taken"
DOORS = {
    "APEX_DATABASE_URL": "postgresql://owner:hidden-1@db/apex",
    "APEX_DATABASE_URL_APP": "postgresql://app:hidden-2@db/apex",
    "APEX_DATABASE_URL_COMMIT": "postgresql://commit:hidden-3@db/apex",
    "APEX_SECRET": "hidden-4, and long enough to be taken as one",
    "APEX_OPENAI_API_KEY": "hidden-5",
}


def read(tmp_path: Path, **environment: str) -> Settings:
    return Settings.from_environment({"APEX_DATA_DIR": str(tmp_path / "data"), **environment})


def test_an_empty_environment_gives_the_documented_defaults(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert (settings.analysis_quiet_seconds, settings.analysis_max_seconds) == (60.0, 600.0)
    assert settings.database_url is settings.openai_api_key is settings.openai_base_url is None


def test_every_variable_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        **DOORS,
        APEX_HOST="::1",
        APEX_PORT="0",
        APEX_OPENAI_BASE_URL="http://localhost:11434/v1",
        APEX_OPENAI_MODEL="some-model",
        APEX_ANALYSIS_QUIET_SECONDS="0.5",
        APEX_ANALYSIS_MAX_SECONDS="5",
        APEX_LOG_LEVEL="DEBUG",
        APEX_WORKERS="3",
    )
    assert (settings.host, settings.port, settings.workers, settings.log_level) == ("::1", 0, 3, "debug")
    assert (settings.analysis_quiet_seconds, settings.analysis_max_seconds) == (0.5, 5.0)
    assert (settings.openai_base_url, settings.openai_model) == ("http://localhost:11434/v1", "some-model")
    assert settings.secret == DOORS["APEX_SECRET"]


def test_empty_variables_count_as_unset(tmp_path: Path) -> None:
    settings = read(tmp_path, APEX_DATABASE_URL="", APEX_PORT=" ", APEX_SECRET=SECRET)
    assert (settings.database_url, settings.port) == (None, 8000)


def test_the_key_of_openai_itself_is_taken_where_ours_is_not_set(tmp_path: Path) -> None:
    assert read(tmp_path, OPENAI_API_KEY="theirs").openai_api_key == "theirs"
    assert read(tmp_path, OPENAI_API_KEY="theirs", APEX_OPENAI_API_KEY="ours").openai_api_key == "ours"


def test_a_secret_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    first = read(tmp_path)
    assert read(tmp_path).secret == first.secret
    assert (tmp_path / "data" / "secret").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["secret"]


def test_processes_that_start_together_agree_on_the_secret(tmp_path: Path) -> None:
    seen: list[str] = []
    threads = [threading.Thread(target=lambda: seen.append(read(tmp_path).secret)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert len(seen) == 8


def test_a_server_that_is_given_everything_writes_nothing(tmp_path: Path) -> None:
    read(tmp_path, **DOORS)
    assert not (tmp_path / "data").exists()


def test_nothing_that_opens_doors_is_shown(tmp_path: Path) -> None:
    settings = read(tmp_path, **DOORS)
    assert "hidden" not in repr(settings) + str(settings) + f"{settings!r}"
    assert "port=8000" in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("APEX_PORT", "eighty", "not a whole number"),
        ("APEX_PORT", "70000", "not between 0 and 65535"),
        ("APEX_WORKERS", "0", "not between 1 and"),
        ("APEX_ANALYSIS_QUIET_SECONDS", "soon", "not a number of seconds"),
        ("APEX_ANALYSIS_QUIET_SECONDS", "-1", "not between 0 and"),
        ("APEX_ANALYSIS_QUIET_SECONDS", "nan", "not between 0 and"),
        ("APEX_ANALYSIS_MAX_SECONDS", "1", "must not be less than"),
        ("APEX_LOG_LEVEL", "loud", "not one of debug"),
        ("APEX_SECRET", "short", "needs at least 32 characters, has 5"),
        ("APEX_DATABASE_URL", "mysql://db", "must start with postgresql://"),
        ("APEX_DATABASE_URL", "postgresql://[", "is no address"),
        ("APEX_OPENAI_BASE_URL", "localhost", "must start with https://"),
        ("APEX_DATABASE_URL_APP", "postgresql://db/apex", "needs APEX_DATABASE_URL beside it"),
        ("APEX_DATA_DIR", "/dev/null", "is not a directory"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(tmp_path: Path, variable: str, value: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refusal:
        read(tmp_path, **{variable: value})
    assert refusal.value.variable == variable


def test_a_secret_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    read(tmp_path)
    (tmp_path / "data" / "secret").write_text("cut")
    with pytest.raises(SettingsError, match="has 3"):
        read(tmp_path)


def test_a_place_where_no_secret_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="APEX_SECRET"):
        Settings.from_environment({"APEX_DATA_DIR": str(tmp_path / "file" / "data")})


def test_the_data_lies_in_the_home_directory_by_default() -> None:
    assert default_data_dir().parts[-3:] == (".local", "share", "apex-server")


def test_lists_are_separated_by_commas(tmp_path: Path) -> None:
    former, earlier = "a former secret that is long enough", "an even earlier one that is long enough"
    settings = read(
        tmp_path,
        APEX_SECRET=SECRET,
        APEX_FORMER_SECRETS=f"{former}, {earlier}",
        APEX_TRUSTED_PROXIES="10.0.0.0/8,fd00::/8, 192.0.2.1",
    )
    assert settings.former_secrets == (former, earlier)
    assert settings.trusted_proxies == ("10.0.0.0/8", "fd00::/8", "192.0.2.1/32")
    assert former not in repr(settings)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("APEX_FORMER_SECRETS", "too short"),
        ("APEX_FORMER_SECRETS", ",".join(["s" * 32] * 9)),
        ("APEX_TRUSTED_PROXIES", "the proxy"),
        ("APEX_TRUSTED_PROXIES", "10.0.0.1/8"),
        ("APEX_TRUSTED_PROXIES", ",".join(["192.0.2.1"] * 65)),
        ("APEX_MAIL_FROM", "Apex"),
        ("APEX_SMTP_URL", "https://mail.example"),
    ],
)
def test_what_cannot_be_used_for_mail_or_trust_stops_the_server(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable):
        read(tmp_path, APEX_SECRET=SECRET, **{variable: value})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "http://localhost:8000"),
        ({"host": "::", "port": 80}, "http://localhost:80"),
        ({"host": "192.0.2.7"}, "http://192.0.2.7:8000"),
        ({"tls_certificate": Path("c"), "tls_key": Path("k")}, "https://localhost:8000"),
        ({"public_url": "https://coach.example"}, "https://coach.example"),
    ],
)
def test_people_are_sent_to_a_name_that_passkeys_can_be_bound_to(given: dict[str, Any], expected: str) -> None:
    assert Settings(data_dir=Path(), secret=SECRET, **given).page_url == expected
