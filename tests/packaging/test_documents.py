"""What the documents point at is there: files, headings, and the places in the code that they name."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"```.*?```", re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PLACE = re.compile(r"`((?:apex_sync|client_sdk|server|tests|schemas|docs|examples|benchmarks)/[\w/.-]+)`")


def prose_of(document: Path) -> str:
    """Leave out the blocks of code, in which brackets and `#` mean something else."""
    return BLOCK.sub("", document.read_text("utf-8"))


def anchors_in(document: Path) -> set[str]:
    """Name the headings as a renderer of Markdown does."""
    headings = HEADING.findall(prose_of(document))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def dangling(document: Path) -> Iterator[str]:
    text = prose_of(document)
    for target in LINK.findall(text):
        path, _, anchor = target.partition("#")
        if path.startswith(("https:", "http:")):
            continue
        file = document.parent / path if path else document
        if not file.exists() or (anchor and anchor not in anchors_in(file)):
            yield target
    # What is the text of a link is looked up where the link leads.
    yield from (place for place in PLACE.findall(LINK.sub("", text)) if not (ROOT / place).exists())


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_everything_that_a_document_points_at_is_there(document: Path) -> None:
    assert list(dangling(document)) == []


def test_every_document_is_found_from_the_readme() -> None:
    """Nobody reads what nothing leads to."""
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document not in found and document.suffix == ".md":
            found.add(document)
            paths = (target.partition("#")[0] for target in LINK.findall(prose_of(document)))
            waiting += [(document.parent / path).resolve() for path in paths if path and "://" not in path]
    assert set(DOCUMENTS) - found == set()
