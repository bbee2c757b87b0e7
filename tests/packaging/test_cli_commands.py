"""Every kind of record can be looked at and written at a terminal, or it is said what to do instead."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from apex_client.cli.app import app
from apex_sync.models import COLLECTIONS
from schemas.cli_commands import COMMANDS, command_table

ROOT = Path(__file__).parents[2]


def commands_below(command: Any, words: tuple[str, ...] = ("apex",)) -> Iterator[str]:
    """List what can be typed: commands, and groups that do something by themselves."""
    below = getattr(command, "commands", {})
    if not below or command.invoke_without_command:
        yield " ".join(words)
    for name, each in below.items():
        yield from commands_below(each, (*words, name))


TYPED = frozenset(commands_below(typer.main.get_command(app)))


def test_every_kind_of_record_has_its_line() -> None:
    assert COMMANDS.keys() == COLLECTIONS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_kind_of_record_has_commands_or_a_reason_for_none(name: str) -> None:
    for said in COMMANDS[name]:
        assert said.strip("`") in TYPED if said.startswith("`") else len(said.split()) > 3, said


def test_the_page_of_the_sdk_has_the_table() -> None:
    assert command_table() in (ROOT / "docs" / "sdk.md").read_text("utf-8")
