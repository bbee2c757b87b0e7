"""What the security documents claim: every test they name exists, and no threat, risk or chapter stands without one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("SECURITY.md", "docs/security.md")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
NOT_USED = {"V10", "V17"}
"""Chapters about what there is not."""


def text_of(document: str) -> str:
    return (ROOT / document).read_text("utf-8")


def rows_under(document: str, heading: str) -> list[str]:
    """Give the lines of the tables under headings that begin so."""
    rows, inside = [], False
    for line in text_of(document).splitlines():
        if line.startswith("#"):
            inside = line.lstrip("# ").startswith(heading)
        elif inside and line.startswith("| ") and not line.startswith(("| threat", "| risk", "| chapter")):
            rows.append(line)
    return rows


@cache
def named_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_that_is_named_exists(document: str) -> None:
    named = NAMED.findall(text_of(document))
    assert len(named) > 60
    missing = [f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in named_in(path)]
    assert missing == []


def test_every_threat_names_the_test_that_holds_it() -> None:
    threats = [line for line in text_of("SECURITY.md").splitlines() if line.startswith("| ")]
    after = threats.index("| threat | wall | test that holds it |")
    rows = [line for line in threats[after:] if not line.startswith("| threat")]
    assert len(rows) > 50
    assert [line for line in rows if not NAMED.search(line)] == []


def test_every_risk_of_the_api_top_ten_is_held() -> None:
    rows = rows_under("docs/security.md", "OWASP API")
    assert [re.match(r"\| (API\d+) ", line)[1] for line in rows] == [f"API{number}" for number in range(1, 11)]  # type: ignore[index]
    assert all(NAMED.search(line) for line in rows)


def test_every_chapter_of_asvs_is_spoken_of() -> None:
    rows = rows_under("docs/security.md", "ASVS")
    chapters = {chapter for line in rows for chapter in re.findall(r"\bV\d+", line.split("|")[1])}
    assert chapters == {f"V{number}" for number in range(1, 18)}
    for line in rows:
        assert NAMED.search(line) or re.match(r"\| (V\d+)", line)[1] in NOT_USED, line  # type: ignore[index]


def test_the_example_for_apps_opens_an_encrypted_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The block as it stands in the document, run."""
    (block,) = re.findall(r"```python\n(.*?)```", text_of("docs/security.md"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"key_from_the_keychain": bytes(range(32))}
    exec(block, names)  # noqa: S102 - our own document.
    assert getattr(names["replica"], "path", None) == Path("athlete.db")
