"""Random bits by counting: Philox4x32-10.

    for block in range(ceil(len(out) / 4)):
        out[4 block : 4 block + 4] = encrypt(counter + block, key)

A cipher turns the numbers 0, 1, 2, ... into words that no test tells from random ones. Nothing is
carried from block to block, so any part of the sequence can be made first, or on any processor.
Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 3.3.
"""

from __future__ import annotations

from array import array

WORD = 0xFFFFFFFF
MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_STEPS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10


def round_keys(key):
    """The two key words of each round: the 64-bit key, low word first, stepped like a counter."""
    low, high = key & WORD, (key >> 32) & WORD
    return [
        ((low + i * KEY_STEPS[0]) & WORD, (high + i * KEY_STEPS[1]) & WORD) for i in range(ROUNDS)
    ]


def encrypt(counter, keys):
    """Four words from a 128-bit counter, low word first."""
    a, b, c, d = ((counter >> shift) & WORD for shift in (0, 32, 64, 96))
    for low, high in keys:
        p, q = MULTIPLIERS[0] * a, MULTIPLIERS[1] * c
        a, b, c, d = (q >> 32) ^ b ^ low, q & WORD, (p >> 32) ^ d ^ high, p & WORD
    return a, b, c, d


def random_bits(out, key, counter):
    """Fill `out` with the words of blocks counter, counter + 1, ..."""
    keys = round_keys(key)
    words = []
    for block in range(-(-len(out) // 4)):
        words.extend(encrypt(counter + block, keys))
    out[:] = array(out.typecode, words[: len(out)])
