"""Takes the media of samples in while rows are read, and counts what was taken. Knows nothing of tokens."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from manus.data.forms.media import rows_within
from manus.data.media.expansion import Layout, WholeLayout, check_placeholders, check_senses, texts_of
from manus.data.media.files import KINDS, MEDIA_TABLE, has_media
from manus.data.media.segments import rows_of_parts
from manus.data.media.store import MediaWriter, Stored
from manus.data.sample import PLACEHOLDER, Medium, Row, RowError, Sample

_QUANTILES = (0, 50, 100)
ROWS_AT_ONCE = 256


class Intake:
    """What a stage does with media: keeps them if its model takes them in, else refuses rows with any."""

    def __init__(
        self,
        folder: Path,
        layout: Layout | None,
        allow_urls: bool = False,
        clip_seconds: float | None = None,
        looks_beside: bool = True,
    ) -> None:
        """Start with no media.

        Args:
            folder: where those that are kept go.
            layout: what the model makes of media; None: it takes in text only.
            allow_urls: whether media may be fetched over the network.
            clip_seconds: how long parts of a medium that follow each other may be together.
            looks_beside: whether media are looked at in processes of their own; not where this is one
                already.
        """
        self.folder, self.layout, self.clip_seconds, self.looks_beside = (
            folder,
            layout,
            clip_seconds,
            looks_beside,
        )
        self.writer = MediaWriter(folder, layout, allow_urls) if layout is not None else None

    def rows_in(self, row: Row) -> Sequence[Row]:
        """Return the rows that a row stands for: one for each text about the same media, or a part of them.

        Raises:
            RowError: its parts cannot be read.
        """
        if self.layout is None:
            return [row]
        return rows_of_parts(row, self.clip_seconds) or rows_within(row)

    @property
    def rows_at_once(self) -> int:
        """How many rows are read before their media are checked together."""
        return 1 if self.writer is None or not self.looks_beside else ROWS_AT_ONCE

    def stored(self, sample: Sample, beside: Path) -> list[Stored]:
        """Keep the bytes of a sample's media, in order.

        Args:
            sample: as a row was read.
            beside: the folder that relative paths start from.

        Raises:
            RowError: a medium is missing, or the model has no such sense.
        """
        if self.writer is None or self.layout is None:
            if sample.get("media"):
                raise RowError(
                    f"the row has a medium ({sample['media'][0]['kind']}), but the model takes in text only; "
                    "give the recipe an omni stage before this one"
                )
            return []
        refuse_unmeant(sample, self.layout)
        return [self.writer.stored(medium, beside) for medium in sample.get("media", [])]

    def check(self, stored: Iterable[Stored]) -> None:
        """Look at the media of several samples, side by side."""
        if self.writer is not None and self.looks_beside:
            self.writer.check(stored)

    def taken(self, sample: Sample, stored: Sequence[Stored]) -> Sample:
        """Return a sample whose media are kept, under numbers; long sound stands in it as several pieces.

        Raises:
            RowError: a medium is broken.
        """
        if self.writer is None or not stored:
            return sample
        kept = [self.writer.numbered(one) for one in stored]
        pieces = iter(kept)

        def repeated(match: re.Match[str]) -> str:
            return match[0] * len(next(pieces))

        messages = [
            {**message, "content": PLACEHOLDER.sub(repeated, message["content"])}
            for message in sample["messages"]
        ]
        return cast(Sample, {**sample, "messages": messages, "media": [one for some in kept for one in some]})

    def finish(self, *sides: list[Sample]) -> None:
        """Write the media that samples use, and give these their final numbers."""
        if self.writer is None:
            return
        used = {
            medium["number"] for samples in sides for sample in samples for medium in sample.get("media", [])
        }
        numbers = self.writer.finish(used)
        for samples in sides:
            samples[:] = [renumbered(sample, numbers) for sample in samples]

    def close(self) -> None:
        """Give up what was not finished."""
        if self.writer is not None:
            self.writer.close()


def refuse_unmeant(sample: Sample, layout: Layout) -> None:
    """Refuse a sample whose texts hold placeholders by themselves, or whose media the model does not take in.

    Raises:
        RowError: it is one.
    """
    check_placeholders(sample)
    check_senses(sample, layout)
    if isinstance(layout, WholeLayout):
        for text in texts_of(sample):
            layout.refuse_unmeant(PLACEHOLDER.sub("", text))


def text_only(read: Callable[[Row], Sample], layout: Layout | None, why: str) -> Callable[[Row], Sample]:
    """Return a reader for rows whose media nobody keeps: it refuses those that have any, and says why.

    Args:
        read: a row as a sample.
        layout: what the model makes of media; then no text may hold what stands for them.
        why: what is said of a row with media.
    """

    def read_text(row: Row) -> Sample:
        sample = read(row)
        if sample.get("media"):
            raise RowError(why)
        if layout is not None:
            refuse_unmeant(sample, layout)
        return sample

    return read_text


def renumbered(sample: Sample, numbers: Mapping[int, int] | Sequence[int]) -> Sample:
    """Return a sample whose media have other numbers."""
    if not sample.get("media"):
        return sample
    media: list[Medium] = [{**medium, "number": numbers[medium["number"]]} for medium in sample["media"]]
    return {**sample, "media": media}


def media_statistics(folder: Path) -> dict[str, Any]:
    """Return what there is to say of prepared media, by kind: how many, how large, how long; else empty."""
    if not has_media(folder):
        return {}
    table = np.load(folder / MEDIA_TABLE)
    told: dict[str, Any] = {}
    for index, kind in enumerate(KINDS):
        found = table[table["kind"] == index]
        if not len(found):
            continue
        _, first = np.unique(found["offset"], return_index=True)
        told[kind] = {"count": len(found), "files": len(first), "bytes": int(found["size"][first].sum())}
        if kind != "audio":
            told[kind] |= {side: _quantiles(found[side], 0) for side in ("width", "height")}
        if kind != "image":
            told[kind] |= {
                "seconds": _quantiles(found["seconds"], 3),
                "total_seconds": round(float(found["seconds"].sum()), 1),
            }
    return told


def _quantiles(values: np.ndarray[Any, Any], digits: int) -> dict[str, float]:
    found = {str(q): round(float(np.quantile(values, q / 100)), digits) for q in _QUANTILES}
    return {name: int(value) if digits == 0 else value for name, value in found.items()}
