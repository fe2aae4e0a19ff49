"""Values that live together lie apart; those that do not share memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from etude.backends.arena import ALIGNMENT, least, place

LIFE = st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 10)).map(
    lambda life: (life[0], life[1], life[1] + life[2])
)


@given(st.lists(LIFE, max_size=40))
def test_values_that_live_together_lie_apart(lives: list[tuple[int, int, int]]) -> None:
    offsets, size = place(lives)
    assert least(lives) <= size <= sum(-(-n // ALIGNMENT) * ALIGNMENT for n, _, _ in lives)
    for i, (n, first, last) in enumerate(lives):
        assert offsets[i] % ALIGNMENT == 0
        assert offsets[i] + n <= size or not n
        for j, (m, begins, ends) in enumerate(lives[:i]):
            if n and m and first <= ends and begins <= last:
                assert offsets[i] >= offsets[j] + m or offsets[j] >= offsets[i] + n


def test_a_chain_takes_two_places() -> None:
    offsets, size = place([(1000, step, step + 1) for step in range(10)])
    assert size == 2048
    assert offsets == [0, 1024] * 5


def test_a_value_goes_into_the_smallest_gap() -> None:
    # The second and the fourth have ended at step 2, and leave 1216 and 1088 bytes.
    lives = [(1280, 0, 2), (1216, 0, 0), (1152, 0, 2), (1088, 0, 0), (1024, 0, 2)]
    offsets, size = place([*lives, (1000, 2, 2)])
    assert size == sum(n for n, _, _ in lives)
    assert offsets[-1] == offsets[3]


def test_nothing_takes_nothing() -> None:
    assert place([]) == ([], 0)
    assert place([(0, 0, 5), (1, 0, 5)]) == ([0, 0], 64)
    assert least([]) == 0
