"""Texts, counts and sizes as settings of several rooms spell them."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

LARGEST_COUNT = 2**31 - 1


def _visible(text: str) -> str:
    if not text.strip() or any(unicodedata.category(character) == "Cc" for character in text):
        raise ValueError("must be text that can be seen, on one line")
    return text


Text = Annotated[str, Field(min_length=1), AfterValidator(_visible)]
Count = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
SampleSize = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
