"""Draws rows until enough of them differ. Knows nothing of what is drawn."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from manus.errors import DataError

# A generator that repeats itself this often in a row has nothing new to say.
REPEATS_UNTIL_EXHAUSTED = 2000


def distinct_rows(draw: Callable[[int], dict[str, Any]], count: int) -> Iterator[dict[str, Any]]:
    """Yield `count` rows that all ask something else (of another picture, or with other functions on offer).

    Rows of a `text` ask for that.

    The first rows are the same whatever `count` is.

    Args:
        draw: makes a row for the place that it will have, from 0.

    Raises:
        DataError: the generator has fewer rows than that.
    """
    asked: set[str] = set()
    for place in range(count):
        for _ in range(REPEATS_UNTIL_EXHAUSTED):
            row = draw(place)
            prompt = row["text"] if "text" in row else _prompt_in(row)
            if prompt not in asked:
                break
        else:
            raise DataError(f"the generator can make only {place} different rows, not {count}; ask for fewer")
        asked.add(prompt)
        yield row


def _prompt_in(row: dict[str, Any]) -> str:
    return json.dumps([row["messages"][:-1], row.get("tools")], default=_digest)


def _digest(media: bytes) -> str:
    return hashlib.sha256(media).hexdigest()
