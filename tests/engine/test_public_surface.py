"""What `apex_sync` offers, and that importing it costs nothing."""

import subprocess
import sys

import pytest

import apex_sync
import apex_sync.models
import apex_sync.protocol


@pytest.mark.parametrize("package", [apex_sync, apex_sync.models, apex_sync.protocol])
def test_the_public_surface_is_sorted_and_every_name_of_it_is_there(package: object) -> None:
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    assert names == sorted(names, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert len(names) == len(set(names))
    for name in names:
        assert getattr(package, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        apex_sync.nothing  # noqa: B018


def test_importing_the_engine_loads_nothing_until_it_is_used() -> None:
    code = (
        "import sys; before = set(sys.modules); import apex_sync; "
        "print(sorted(name for name in set(sys.modules) - before if 'apex' in name or 'msgspec' in name))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "['apex_sync']"


def test_the_engine_needs_no_pycrdt() -> None:
    """A watch encodes and merges without a native CRDT library: pycrdt has no wheels there."""
    code = (
        "import sys; import apex_sync, apex_sync.models, apex_sync.protocol.messages; "
        "[getattr(apex_sync, name) for name in apex_sync.__all__]; print('pycrdt' in sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "False"
