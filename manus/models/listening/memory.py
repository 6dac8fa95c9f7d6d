"""Says what of a long session stays in memory. Knows nothing of models.

The rule is the sliding window with re-computation of Xiao et al. 2023 ("Efficient Streaming Language Models
with Attention Sinks", https://arxiv.org/abs/2309.17453, figure 1c), done once each half window and not for
each token: the beginning stays, which holds the attention sinks, and the latest of what followed; both are
read again, from position 0 on. So positions never pass what the model has learned, no family of rotary
positions has to be known, and the state is that of a model that was shown just this.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Part = Literal["beginning", "around", "content"]


@dataclass(frozen=True, slots=True)
class Size:
    """How many tokens something takes that was read, and what it is.

    Args:
        tokens: how many.
        part: `beginning` (instructions, and what opens the first turn) always stays; `around` is what the
            chat template writes around a turn's contents, and stays as long as one of them does.
        turn: the number of the turn.
    """

    tokens: int
    part: Part
    turn: int


@dataclass(frozen=True, slots=True)
class Memory:
    """How much is remembered: at most `most_tokens`, the beginning among them."""

    most_tokens: int = 2048

    def is_full(self, sizes: Sequence[Size], coming: int) -> bool:
        """Tell whether there is no room for so many more tokens."""
        return sum(size.tokens for size in sizes) + coming > self.most_tokens

    def check_fits(self, beginning: int, coming: int) -> None:
        """See to it that something can be remembered at all.

        Raises:
            ValueError: beside the beginning it takes more than half of the memory.
        """
        if beginning + coming > self.room(beginning):
            raise ValueError(
                f"{coming} tokens at once do not fit into half of a memory of {self.most_tokens} tokens, "
                f"{beginning} of which are its beginning; raise most_tokens"
            )

    def room(self, beginning: int) -> int:
        """Return how many tokens are left after forgetting, what comes next included."""
        return beginning + max(0, self.most_tokens - beginning) // 2

    def staying(self, sizes: Sequence[Size], coming: int) -> list[int]:
        """Return the numbers of what stays, in order, so that so many more tokens fit into half the memory.

        The latest contents stay that fit, without a gap; the latest turn's `around` stays in any case.

        Args:
            sizes: of all that was read, in order.
            coming: how many tokens are read next.
        """
        staying = {number for number, size in enumerate(sizes) if size.part == "beginning"}
        beginning = sum(sizes[number].tokens for number in staying)
        left = self.room(beginning) - beginning - coming
        around: dict[int, list[int]] = {}
        for number, size in enumerate(sizes):
            if size.part == "around":
                around.setdefault(size.turn, []).append(number)
        opened: set[int] = set()

        def open_turn(turn: int) -> int:
            """Return what a turn's around takes that is not counted yet."""
            return 0 if turn in opened else sum(sizes[number].tokens for number in around.get(turn, ()))

        if sizes:
            latest = sizes[-1].turn
            left -= open_turn(latest)
            opened.add(latest)
        for number in range(len(sizes) - 1, -1, -1):
            size = sizes[number]
            if size.part != "content":
                continue
            left -= size.tokens + open_turn(size.turn)
            if left < 0:
                break
            opened.add(size.turn)
            staying.add(number)
        return sorted(staying.union(*(around.get(turn, []) for turn in opened)))
