"""Sentences of a small grammar: text for models of characters, words with their parts of speech.

    sentence -> group verb-group end        group -> article adjective? noun
    verb-group -> sleeps | sees group | sleeps preposition group | modal see group
    end -> "." | "and" group verb-group "."

Some words are nouns in one place and verbs in another ("the watch", "they will watch"), so a tag
depends on the words before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...creation import tensor
from ..dataset import TensorDataset
from .draws import Draws, check_count

TAGS = ("article", "adjective", "noun", "verb", "preposition", "modal", "conjunction", "stop")
ARTICLES = ("the", "that", "this", "every")
ADJECTIVES = ("small", "old", "green", "quiet", "bright", "wooden", "tired", "round")
NOUNS = ("cat", "river", "teacher", "boat", "window", "garden", "bird", "lamp", "fish", "watch")
VERBS = ("sees", "finds", "follows", "paints", "carries", "hears")
ALONE = ("waits", "sleeps", "rests", "sings")  # verbs without an object
BASES = ("see", "find", "follow", "paint", "carry", "fish", "watch", "hear")
PREPOSITIONS = ("near", "under", "behind", "with", "above")
MODALS = ("will", "can", "may")
IGNORED = -100  # cross_entropy's ignore_index


def _group(draws: Draws) -> list[tuple[str, str]]:
    words = [(draws.one_of(ARTICLES), "article")]
    if draws.uniform() < 0.5:
        words.append((draws.one_of(ADJECTIVES), "adjective"))
    return [*words, (draws.one_of(NOUNS), "noun")]


def _clause(draws: Draws) -> list[tuple[str, str]]:
    words, form = _group(draws), draws.whole(4)
    if form == 3:
        words += [(draws.one_of(MODALS), "modal"), (draws.one_of(BASES), "verb")]
        return words + _group(draws)
    words.append((draws.one_of(VERBS if form == 1 else ALONE), "verb"))
    if form == 2:
        words.append((draws.one_of(PREPOSITIONS), "preposition"))
    return words + (_group(draws) if form else [])


def _sentence(draws: Draws) -> list[tuple[str, str]]:
    words = _clause(draws)
    if draws.uniform() < 0.2:
        words += [("and", "conjunction"), *_clause(draws)]
    return [*words, (".", "stop")]


def synthetic_text(sentences: int, seed: int = 0) -> str:
    """Sentences of the grammar, one after the other: "that small cat sleeps. the boat will ...".

    Raises ArgumentError for a negative number.
    """
    check_count("synthetic_text", "sentences", sentences, 0)
    draws = Draws(seed)
    made = (" ".join(word for word, _ in _sentence(draws)) for _ in range(sentences))
    return " ".join(made).replace(" .", ".")


def synthetic_characters(
    n: int, length: int = 40, seed: int = 0, backend: Any = None
) -> tuple[TensorDataset, str]:
    """`n` pieces of the text as numbers, x (length,), each with the next character, y (length,).

    Both int64. Returns the dataset and the alphabet: character k of it has the number k. Decks:
    D1, D3. Raises ArgumentError for small numbers.
    """
    check_count("synthetic_characters", "n", n, 0)
    check_count("synthetic_characters", "length", length, 1)
    text = synthetic_text(n * (length + 1) // 20 + 60, seed)
    alphabet = "".join(sorted(set(text)))
    numbers = [alphabet.index(c) for c in text[: n * (length + 1)]]
    rows = [numbers[i * (length + 1) : (i + 1) * (length + 1)] for i in range(n)]
    x = tensor([row[:-1] for row in rows], dtype="int64", backend=backend)
    y = tensor([row[1:] for row in rows], dtype="int64", backend=backend)
    return TensorDataset(x.reshape(n, length), y.reshape(n, length)), alphabet


@dataclass(frozen=True)
class Tagged:
    """Sentences with parts of speech: words and tags as numbers, and what the numbers stand for.

    `data`: words int64 (T,), 0 after the end; tags int64 (T,), -100 there, which `cross_entropy`
    passes over. `vocabulary[k]` is word k (0 is "" for no word), `tags[k]` is tag k.
    """

    data: TensorDataset
    vocabulary: tuple[str, ...]
    tags: tuple[str, ...]


def synthetic_tags(n: int, seed: int = 0, backend: Any = None) -> Tagged:
    """`n` sentences of the grammar with the part of speech of each word (`TAGS`). Decks: D1.

    The vocabulary is that of the grammar, whatever was drawn. Raises ArgumentError for a negative
    number.
    """
    check_count("synthetic_tags", "n", n, 0)
    draws = Draws(seed)
    sentences = [_sentence(draws) for _ in range(n)]
    every = {
        *ARTICLES,
        *ADJECTIVES,
        *NOUNS,
        *VERBS,
        *ALONE,
        *BASES,
        *PREPOSITIONS,
        *MODALS,
        "and",
        ".",
    }
    vocabulary = ("", *sorted(every))
    number = {word: k for k, word in enumerate(vocabulary)}
    longest = max(map(len, sentences), default=1)
    words = [[number[w] for w, _ in s] + [0] * (longest - len(s)) for s in sentences]
    tags = [[TAGS.index(t) for _, t in s] + [IGNORED] * (longest - len(s)) for s in sentences]
    parts = (tensor(part, dtype="int64", backend=backend) for part in (words, tags))
    return Tagged(TensorDataset(*(p.reshape(n, longest) for p in parts)), vocabulary, TAGS)
