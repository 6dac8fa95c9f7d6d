"""An index says where records end, whatever the blocks; it is built once, by one of those who want it."""

from __future__ import annotations

import csv
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from manus.data.sources.cache import cached
from manus.data.sources.indexing import Block, Ends, Index, LineEnds, TableEnds, write_index

PIECES = ["a", '"', ",", "\n", '""', ',"', '",', '"\n', "é"]


def ends(data: bytes, finder: Ends, size: int, place: Path) -> list[int]:
    blocks: Iterator[Block] = (
        np.frombuffer(data[i : i + size], dtype=np.uint8) for i in range(0, len(data), size)
    )
    write_index(blocks, finder, place)
    index = Index(place)
    return index.offsets(0, len(index)).tolist()[1:] if len(index) else []


def as_csv_reads(text: str) -> list[int]:
    """Return after which bytes Python's csv module has read a row."""
    done, found = 0, []

    def lines() -> Iterator[str]:
        nonlocal done
        for line in text.splitlines(keepends=True):
            done += len(line.encode())
            yield line

    for _ in csv.reader(lines()):
        found.append(done)
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_rows_of_a_table_end_where_the_csv_module_ends_them(tmp_path: Path, size: int) -> None:
    draw = random.Random(size)
    for _ in range(500):
        text = "".join(draw.choices(PIECES, k=draw.randint(1, 30)))
        assert ends(text.encode(), TableEnds(","), size, tmp_path / "i.u64") == as_csv_reads(text), text


@pytest.mark.parametrize("size", [1, 3, 100])
def test_lines_end_at_newlines_and_the_last_at_the_end(tmp_path: Path, size: int) -> None:
    assert ends(b"a\n\nbc\nd", LineEnds(), size, tmp_path / "i.u64") == [2, 3, 6, 7]
    assert ends(b"a\n", LineEnds(), size, tmp_path / "i.u64") == [2]
    assert ends(b"", LineEnds(), size, tmp_path / "i.u64") == []


def test_a_record_is_found_by_its_offset(tmp_path: Path) -> None:
    ends(b"ab\n" * 50, LineEnds(), 7, tmp_path / "i.u64")
    index = Index(tmp_path / "i.u64")
    assert [index.record_at(offset) for offset in (0, 1, 3, 148, 150, 999)] == [0, 1, 1, 50, 50, 50]


def test_what_is_wanted_by_many_is_built_once_and_torn_work_is_replaced(tmp_path: Path) -> None:
    built = []

    def build(target: Path) -> None:
        assert not target.exists()
        built.append(1)
        target.write_text("whole")

    (tmp_path / "x.building").write_text("torn by a kill")
    wanting = [threading.Thread(target=cached, args=(tmp_path / "x", build)) for _ in range(4)]
    for thread in wanting:
        thread.start()
    for thread in wanting:
        thread.join()
    assert (tmp_path / "x").read_text() == "whole" and len(built) == 1


def test_what_could_not_be_built_leaves_nothing(tmp_path: Path) -> None:
    def build(target: Path) -> None:
        target.write_text("half")
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        cached(tmp_path / "x", build)
    assert not (tmp_path / "x").exists()
