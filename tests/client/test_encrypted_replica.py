"""Replicas that are encrypted: no byte of what was logged stands on the disk, and no other key opens or harms them."""

import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apex_client import change_replica_key, changing_keys, errors
from apex_client.blocking import Replica
from apex_client.doctor import ReplicaImage, Unreadable, content_findings, file_findings, salvage
from apex_client.encryption import EncryptionKey
from apex_client.errors import ReplicaError
from tests.client.apex_command import Terminal

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
PASSPHRASE = "it's a passphrase; with 'quotes'"
CANARY = "xylophone"
"""Everywhere where text can stand; compressed or split it would still show in parts, so pieces are looked for, too."""


def fill(path: Path, key: EncryptionKey | None, workouts: int = 3) -> None:
    with Replica.open(path, encryption_key=key) as replica:
        write(replica, workouts)


def write(replica: Replica, workouts: int = 3) -> None:
    for number in range(workouts):
        log = replica.workouts.start(title=f"{CANARY} {number}")
        log.add_set(f"{CANARY} press", reps=8, load=100, unit="kg", notes=f"notes {CANARY}")


def titles(path: Path, key: EncryptionKey | None) -> set[str | None]:
    with Replica.open(path, encryption_key=key) as replica:
        return {log.title for log in replica.workouts.list()}


TITLES = {f"{CANARY} {number}" for number in range(3)}


def plaintext_in(folder: Path) -> list[str]:
    """Name the files of a folder in which anything can be read."""
    pieces = (CANARY.encode(), CANARY[1:].encode(), b"workout_log", b"CREATE TABLE", b"SQLite format")
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.is_file() and any(piece in file.read_bytes() for piece in pieces)
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.suffix != ".lock"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "device"
    folder.mkdir()
    fill(folder / "athlete.db", KEY)
    return folder / "athlete.db"


@pytest.mark.parametrize("key", [KEY, PASSPHRASE], ids=["key", "passphrase"])
def test_what_was_written_is_read_with_the_key(tmp_path: Path, key: EncryptionKey) -> None:
    fill(tmp_path / "a.db", key)
    assert titles(tmp_path / "a.db", key) == TITLES
    with Replica.open(tmp_path / "a.db", encryption_key=key) as replica:
        assert replica.query("SELECT count(*) AS sets FROM logged_sets") == [{"sets": 3}]
        assert len(replica.search(CANARY)) == 3


def test_a_plain_replica_shows_what_the_scan_looks_for(tmp_path: Path) -> None:
    """The scan itself can find something."""
    fill(tmp_path / "plain.db", None)
    assert plaintext_in(tmp_path) == ["plain.db"]


def test_no_byte_of_it_stands_on_the_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the file, its log while it is open, the temporary files of large sorts, and the image of a doctor."""
    temporary = path.parent / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("SQLITE_TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    with Replica.open(path, encryption_key=KEY) as replica:
        write(replica, 20)
        assert path.with_name("athlete.db-wal").stat().st_size > 0
        replica.query("SELECT DISTINCT exercise_name, title FROM logged_sets, workout_logs ORDER BY title")
        assert plaintext_in(path.parent) == []
    assert plaintext_in(path.parent) == []


def test_a_device_that_was_killed_leaves_no_plaintext_and_loses_nothing(path: Path) -> None:
    script = (
        "import sys, time; from apex_client.blocking import Replica\n"
        f"replica = Replica.open(sys.argv[1], encryption_key=bytes(range(32))); replica.start()\n"
        f"replica.workouts.start(title='{CANARY} killed'); print('saved', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script, path], stdout=subprocess.PIPE) as device:
        assert device.stdout is not None and device.stdout.readline() == b"saved\n"
        device.send_signal(signal.SIGKILL)
    assert path.with_name("athlete.db-wal").stat().st_size > 0
    assert plaintext_in(path.parent) == []
    for wrong in (OTHER_KEY, None):
        with pytest.raises(ReplicaError):
            Replica.open(path, encryption_key=wrong).start()
    assert plaintext_in(path.parent) == []
    assert titles(path, KEY) == TITLES | {f"{CANARY} killed"}


def test_a_beginning_that_a_power_cut_spoilt_is_brought_back_from_the_log(path: Path, tmp_path: Path) -> None:
    """As without encryption: what the log holds need not be readable in the file."""
    with Replica.open(path, encryption_key=KEY) as replica:
        write(replica, 40)
        expected = {log.title for log in replica.workouts.list(limit=100)}
        cut = shutil.copytree(path.parent, tmp_path / "cut") / path.name
    with cut.open("r+b") as file:
        file.write(random.Random(5).randbytes(4096))
    with Replica.open(cut, encryption_key=KEY) as replica:
        assert {log.title for log in replica.workouts.list(limit=100)} == expected


@pytest.mark.parametrize(
    ("made_with", "opened_with", "expected"),
    [
        (KEY, OTHER_KEY, errors.WrongKey),
        (KEY, PASSPHRASE, errors.WrongKey),
        (PASSPHRASE, PASSPHRASE + " ", errors.WrongKey),
        (KEY, None, errors.KeyNeeded),
        (None, KEY, errors.NotEncrypted),
    ],
    ids=["another key", "words for a key", "other words", "no key", "a plain file"],
)
def test_the_wrong_key_is_a_typed_error_and_changes_nothing(
    tmp_path: Path,
    made_with: EncryptionKey | None,
    opened_with: EncryptionKey | None,
    expected: type[ReplicaError],
) -> None:
    path = tmp_path / "a.db"
    fill(path, made_with)
    before = contents(tmp_path)
    with pytest.raises(expected) as refused:
        Replica.open(path, encryption_key=opened_with).start()
    assert type(refused.value) is expected
    assert contents(tmp_path) == before
    assert titles(path, made_with) == TITLES


@pytest.mark.parametrize("key", [b"", b"short", bytes(33), "", "a\x00b", "x" * 1025], ids=range(6))
def test_a_key_of_the_wrong_kind_is_refused_before_anything_is_made(tmp_path: Path, key: EncryptionKey) -> None:
    with pytest.raises(errors.KeyUnusable):
        Replica.open(tmp_path / "a.db", encryption_key=key).start()
    assert not (tmp_path / "a.db").exists()


def test_a_damaged_page_is_found_by_its_seal(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 3 + 77] ^= 1
    path.write_bytes(content)
    with ReplicaImage.open(path, KEY) as image:
        assert any(finding.state == "wrong" for finding in file_findings(image))


def test_without_sqlcipher_it_is_said_what_to_install(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apex_client.sqlcipher", None)
    with pytest.raises(errors.EncryptionMissing, match=r"apex-sync-client\[encrypted\]"):
        Replica.open(path, encryption_key=KEY).start()


def test_a_plain_replica_never_loads_sqlcipher(tmp_path: Path) -> None:
    script = (
        "import sys; from apex_client.blocking import Replica; Replica.open(sys.argv[1]).start();"
        "sys.exit('sqlcipher3' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script, tmp_path / "a.db"], check=False).returncode == 0


CHANGES = [(None, KEY), (KEY, OTHER_KEY), (PASSPHRASE, KEY), (KEY, None)]


@pytest.mark.parametrize(("old_key", "new_key"), CHANGES, ids=["encrypt", "another key", "from words", "decrypt"])
def test_a_changed_key_opens_everything_as_the_same_device_and_the_old_one_nothing(
    tmp_path: Path, old_key: EncryptionKey | None, new_key: EncryptionKey | None
) -> None:
    path = tmp_path / "a.db"
    fill(path, old_key)
    with Replica.open(path, encryption_key=old_key) as replica:
        client_id, records = replica.client_id, replica.query("SELECT * FROM held_records ORDER BY record_no")
    change_replica_key(path, old_key=old_key, new_key=new_key)
    assert (plaintext_in(tmp_path) == []) is (new_key is not None)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ReplicaError):
        Replica.open(path, encryption_key=old_key).start()
    with Replica.open(path, encryption_key=new_key) as replica:
        assert replica.client_id == client_id
        assert replica.query("SELECT * FROM held_records ORDER BY record_no") == records
        assert len(replica.search(CANARY)) == 3
        write(replica, 1)
    with ReplicaImage.open(path, new_key) as image:
        states = [finding.state for finding in (*file_findings(image), *content_findings(image))]
        assert "wrong" not in states


def test_what_a_killed_device_left_in_the_log_is_encrypted_with_the_rest(path: Path, tmp_path: Path) -> None:
    """The log of the old file must neither be lost nor be read together with the new one."""
    plain = tmp_path / "plain"
    plain.mkdir()
    with Replica.open(plain / "a.db") as replica:
        write(replica, 3)
        crashed = shutil.copytree(plain, tmp_path / "crashed")
    assert (crashed / "a.db-wal").stat().st_size > 0
    change_replica_key(crashed / "a.db", old_key=None, new_key=KEY)
    assert plaintext_in(crashed) == []
    assert titles(crashed / "a.db", KEY) == TITLES


def test_a_replica_that_is_open_keeps_its_key(path: Path) -> None:
    with Replica.open(path, encryption_key=KEY), pytest.raises(errors.ReplicaInUse):
        change_replica_key(path, old_key=KEY, new_key=OTHER_KEY)
    assert titles(path, KEY) == TITLES


@pytest.mark.parametrize(
    ("old_key", "expected"), [(OTHER_KEY, errors.WrongKey), (None, errors.KeyNeeded)], ids=["another", "none"]
)
def test_a_key_is_changed_by_nobody_without_it(
    path: Path, old_key: EncryptionKey | None, expected: type[ReplicaError]
) -> None:
    before = contents(path.parent)
    with pytest.raises(expected):
        change_replica_key(path, old_key=old_key, new_key=bytes(32))
    assert contents(path.parent) == before


def test_a_key_that_cannot_be_changed_leaves_the_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_file: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    names = set(contents(path.parent))
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(errors.DiskFull):
        change_replica_key(path, old_key=KEY, new_key=OTHER_KEY)
    monkeypatch.undo()
    assert set(contents(path.parent)) == names
    assert titles(path, KEY) == TITLES


def test_a_copy_that_is_not_what_was_copied_never_takes_the_files_place(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[dict[str, int]] = []
    count = changing_keys._counts

    def one_row_less(connection: sqlite3.Connection) -> dict[str, int]:
        counted.append(count(connection))
        return {**counted[-1], "held_records": counted[-1]["held_records"] - len(counted) + 1}

    monkeypatch.setattr(changing_keys, "_counts", one_row_less)
    before = contents(path.parent)
    with pytest.raises(errors.ReplicaDamaged):
        change_replica_key(path, old_key=KEY, new_key=OTHER_KEY)
    assert len(counted) == 2
    assert set(contents(path.parent)) == set(before)
    assert titles(path, KEY) == TITLES


def test_a_file_that_somebody_reads_keeps_its_key_and_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of a file that others have open cannot be closed, and must not be found beside another file."""
    monkeypatch.setattr(changing_keys, "BUSY_MILLISECONDS", 50)
    path = tmp_path / "a.db"
    fill(path, None)
    script = (
        "import sqlite3, sys; reader = sqlite3.connect(sys.argv[1]); reader.execute('BEGIN')\n"
        "reader.execute('SELECT count(*) FROM held_records').fetchone(); print('reads', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        assert reader.stdout is not None and reader.stdout.readline() == b"reads\n"
        with pytest.raises(errors.ReplicaInUse):
            change_replica_key(path, old_key=None, new_key=KEY)
        reader.kill()
    assert titles(path, None) == TITLES


def test_a_process_killed_while_it_changes_the_key_leaves_a_whole_file_under_one_of_them(path: Path) -> None:
    script = (
        "import sys; from apex_client import change_replica_key\n"
        "one, two = bytes(range(32)), bytes(range(1, 33))\n"
        "old, new = (one, two) if sys.argv[2] == '0' else (two, one)\n"
        "print('ready', flush=True)\n"
        "while True:\n    change_replica_key(sys.argv[1], old_key=old, new_key=new); old, new = new, old"
    )
    dice, keys, current = random.Random(4), (KEY, OTHER_KEY), 0
    for _ in range(8):
        with subprocess.Popen([sys.executable, "-c", script, path, str(current)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            time.sleep(dice.random() * 0.2)
            process.kill()
        assert plaintext_in(path.parent) == []
        (current,) = [number for number, key in enumerate(keys) if opens(path, key)]
        assert titles(path, keys[current]) == TITLES
    assert not path.with_name("athlete.db.new-key").exists()


def opens(path: Path, key: EncryptionKey) -> bool:
    try:
        Replica.open(path, encryption_key=key).start().close()
    except errors.WrongKey:
        return False
    return True


def test_the_doctor_reads_with_the_key_only_and_copies_no_plaintext(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wrong in (None, OTHER_KEY):
        with pytest.raises(Unreadable), ReplicaImage.open(path, wrong):
            pass
    with ReplicaImage.open(path, KEY) as image:
        salvaged = salvage(image, path.parent / "everything.zip")
    assert salvaged.records == 3 and salvaged.unreadable == []


@pytest.fixture
def key_file(tmp_path: Path) -> Callable[[str, EncryptionKey], Path]:
    def write_key(name: str, key: EncryptionKey) -> Path:
        file = tmp_path / name
        file.touch(mode=0o600)
        file.write_text(f"{key.hex() if isinstance(key, bytes) else key}\n")
        return file

    return write_key


def test_the_command_line_works_with_a_key_file(tmp_path: Path, key_file: Callable[[str, EncryptionKey], Path]) -> None:
    apex, first, second = Terminal(tmp_path), key_file("first", KEY), key_file("second", PASSPHRASE)
    apex("log", "set", "Bench Press", "8x100kg@8").ok()
    apex("encrypt", "--new-key-file", first).ok()
    refused = apex("status")
    assert refused.code == 1 and "--key-file" in refused.err
    assert apex("status", APEX_KEY_FILE=str(second)).code == 1
    apex("--key-file", first, "encrypt", "--new-key-file", second).ok()
    apex("--key-file", second, "log", "set", "Squat", "5x100kg@8").ok()
    assert "Squat" in apex("--key-file", second, "query", "SELECT exercise_name FROM logged_sets").ok().out
    unwilling = apex("--key-file", second, "doctor", "--export", tmp_path / "all.zip")
    assert unwilling.code == 1 and "--plain" in unwilling.err and not (tmp_path / "all.zip").exists()
    apex("--key-file", second, "doctor", "--plain", "--export", tmp_path / "all.zip").ok()
    apex("--key-file", second, "encrypt", "--decrypt").ok()
    apex("status").ok()
    first.chmod(0o644)
    assert "chmod 600" in apex("--key-file", first, "status").err
