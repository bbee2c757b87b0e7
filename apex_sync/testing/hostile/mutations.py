"""Mutations of the corpus and of good messages, for ever and always the same from one seed.

Each is one to four small harms done to a seed: bits turned, numbers at their limits written over, stretches cut out,
doubled or taken from another seed. What is still in the grammar afterwards is as good a test as what is not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from apex_sync.testing.updates import varint

HARMS_MAX = 4
STRETCH_BYTES_MAX = 64
SEED_BYTES_MAX = 4096
"""Longer seeds say nothing more, and take the time of a hundred others."""

LIMITS = tuple(
    varint(number) for number in (0, 1, 127, 128, 1023, 1024, 8192, 2**31 - 1, 2**31, 2**53 - 1, 2**53, 2**64 - 1)
)
HEADS = b"\x00\x0a\x21\x23\x28\x80\x90\x91\x93\xa0\xa1\xc0\xc1\xc4\xc6\xca\xcb\xcf\xd3\xd6\xdb\xdc\xdd\xde\xdf\xff"
"""First bytes of structs and of msgpack values."""


class Mutation(NamedTuple):
    """Bytes to be read as one kind of thing, and the seed they come from."""

    kind: str
    seed: str
    data: bytes


def mutations(seeds: Mapping[str, Mapping[str, bytes]], random: Random) -> Iterator[Mutation]:
    """Give mutations of seeds, which are named by kind; each kind equally often."""
    short = {
        kind: [(name, data) for name, data in named.items() if len(data) <= SEED_BYTES_MAX]
        for kind, named in seeds.items()
    }
    while True:
        for kind, named in short.items():
            name, data = random.choice(named)
            mutant = bytearray(data)
            for _ in range(random.randint(1, HARMS_MAX)):
                random.choice(HARMS)(mutant, named, random)
            yield Mutation(kind, name, bytes(mutant))


Seeds = Sequence[tuple[str, bytes]]


def _turn_a_bit(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    if mutant:
        mutant[random.randrange(len(mutant))] ^= 1 << random.randrange(8)


def _write_a_byte(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    if mutant:
        mutant[random.randrange(len(mutant))] = random.choice(HEADS)


def _write_a_limit(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    at = random.randint(0, len(mutant))
    mutant[at : at + random.randint(0, 2)] = random.choice(LIMITS)


def _cut_out(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    start, end = _stretch(mutant, random)
    del mutant[start:end]


def _cut_off(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    del mutant[random.randint(0, len(mutant)) :]


def _double(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    start, end = _stretch(mutant, random)
    mutant[end:end] = mutant[start:end]


def _take_from_another(mutant: bytearray, seeds: Seeds, random: Random) -> None:
    _, other = random.choice(seeds)
    start, end = _stretch(other, random)
    at = random.randint(0, len(mutant))
    mutant[at : at + random.choice((0, end - start))] = other[start:end]


def _insert_noise(mutant: bytearray, _seeds: Seeds, random: Random) -> None:
    at = random.randint(0, len(mutant))
    mutant[at:at] = random.randbytes(random.randint(1, 8))


def _stretch(data: bytes | bytearray, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.randint(1, STRETCH_BYTES_MAX))


Harm = Callable[[bytearray, Seeds, Random], None]

HARMS: tuple[Harm, ...] = (
    _turn_a_bit,
    _write_a_byte,
    _write_a_limit,
    _cut_out,
    _cut_off,
    _double,
    _take_from_another,
    _insert_noise,
)
