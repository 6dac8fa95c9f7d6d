"""Offline data made by rule, one file a generator, found by its name. All of it is synthetic.

`Generator` is what such a file says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from manus.data.sample import SampleKind
from manus.discovery import Contract, discovered
from manus.settings.frozen import Frozen


@dataclass(frozen=True, eq=False, kw_only=True)
class Generator(Contract):
    """What a file in this folder says of itself.

    VERSION: raised when the same settings give other rows.
    Settings: what a recipe may set under `options:`.
    SAMPLE_KINDS: what its rows can become.
    rows: yields so many rows, from a seed, held-out ones or not, by settings. Held-out rows come from
    templates, or seeds, that training rows never use.
    """

    VERSION: int
    Settings: type[Frozen]
    SAMPLE_KINDS: tuple[SampleKind, ...]
    rows: Callable[[int, int, bool, Any], Iterator[dict[str, Any]]]


def known_generators() -> Mapping[str, Generator]:
    """Return the generators by public name."""
    return discovered("manus.data.generators", Generator)
