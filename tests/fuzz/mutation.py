"""Changes of bytes that file formats trip over: for runs without the coverage-guided fuzzer."""

import random

# Where a format says how many, how large and where.
NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
WORDS = (
    *(b"null", b"true", b"-1", b"1e999", b"NaN", b"Infinity", b"[]", b"{}", b'""', b"9" * 5000, b"[" * 3000, b"{" * 99),
    *(b"\x00", b"\xff\xfe", b"\x1b[2J", b"2024-99-99", b"!!python/object:os.system", b"*a", b"&a ", b"0x", b": "),
)
# The share of a file from its beginning that holds what is not plain data.
HEADER = 2000


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return bytes after one to four changes."""
    for _ in range(chance.randint(1, 4)):
        data = chance.choice(CHANGES)(data, _place(data, chance), chance)
    return data


def _place(data: bytes, chance: random.Random) -> int:
    length = len(data) if chance.random() < 0.3 else min(len(data), HEADER)
    return chance.randrange(length + 1)


def _number(data: bytes, place: int, chance: random.Random) -> bytes:
    size, order = chance.choice((1, 2, 4, 8)), chance.choice(("little", "big"))
    value = chance.choice(NUMBERS) & ((1 << 8 * size) - 1)
    return data[:place] + value.to_bytes(size, order) + data[place + size :]


def _float(data: bytes, place: int, chance: random.Random) -> bytes:
    value = chance.choice((b"\x00\x00\xc0\x7f", b"\x00\x00\x80\x7f", b"\xff\xff\x7f\x7f", b"\x01\x00\x00\x00"))
    return data[:place] + value + data[place + 4 :]


def _bit(data: bytes, place: int, chance: random.Random) -> bytes:
    if place >= len(data):
        return data
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def _word(data: bytes, place: int, chance: random.Random) -> bytes:
    word = chance.choice(WORDS)
    return data[:place] + word + data[place + chance.choice((0, len(word))) :]


def _truncate(data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place]


def _delete(data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + data[place + chance.randint(1, 64) :]


def _repeat(data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + data[place : place + chance.randint(1, 64)] * chance.randint(2, 4) + data[place:]


def _noise(data: bytes, place: int, chance: random.Random) -> bytes:
    return data[:place] + chance.randbytes(chance.randint(1, 8)) + data[place:]


CHANGES = (_number, _number, _float, _bit, _bit, _word, _truncate, _delete, _repeat, _noise)
