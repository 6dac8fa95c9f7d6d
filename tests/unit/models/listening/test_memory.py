"""What stays of a long session."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manus.models.listening.memory import Memory, Size


def sizes(*told: tuple[int, str, int]) -> list[Size]:
    return [Size(tokens, part, turn) for tokens, part, turn in told]  # type: ignore[arg-type]


def test_the_beginning_and_the_latest_stay() -> None:
    read = sizes((10, "beginning", 0), *[(10, "content", 0)] * 9)
    memory = Memory(100)
    assert not memory.is_full(read, 0) and memory.is_full(read, 1)
    assert memory.staying(read, 5) == [0, 6, 7, 8, 9]  # of 90 tokens behind the beginning, half


def test_what_the_template_writes_stays_with_its_turn() -> None:
    read = sizes(
        (4, "beginning", 0), (10, "content", 0), (3, "around", 0), (10, "content", 0),
        (3, "around", 1), (10, "content", 1), (3, "around", 1), (10, "content", 1),
    )  # fmt: skip
    assert Memory(64).staying(read, 1) == [0, 4, 5, 6, 7]
    assert Memory(54).staying(read, 1) == [0, 4, 6, 7]
    assert Memory(90).staying(read, 1) == [0, 2, 3, 4, 5, 6, 7]


def test_what_does_not_fit_is_refused() -> None:
    Memory(100).check_fits(10, 45)
    with pytest.raises(ValueError, match="46 tokens at once do not fit into half of a memory of 100 tokens"):
        Memory(100).check_fits(10, 46)


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.sampled_from(["around", "content"]), st.integers(0, 3)), max_size=30
    ),
    st.integers(1, 9),
)
def test_room_is_made_in_any_case(told: list[tuple[int, str, int]], coming: int) -> None:
    read = [*sizes((5, "beginning", 0)), *sizes(*sorted(told, key=lambda one: one[2]))]
    memory = Memory(60)
    staying = memory.staying(read, coming)
    assert 0 in staying and staying == sorted(set(staying))
    latest = read[-1].turn
    around = sum(size.tokens for size in read if size.part == "around" and size.turn == latest)
    kept = sum(read[number].tokens for number in staying)
    assert kept + coming <= max(memory.room(5), 5 + around + coming)
    contents = [number for number, size in enumerate(read) if size.part == "content"]
    stay = [number for number in staying if read[number].part == "content"]
    assert stay == contents[len(contents) - len(stay) :]
