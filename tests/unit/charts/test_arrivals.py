"""The drawing of when pieces came has a mark for each of them, and stands alone."""

from __future__ import annotations

import xml.etree.ElementTree as ET

from manus.charts.arrivals import arrivals_chart

ARRIVALS = {1: [[0.1, 0.2, 0.35], [0.1, 0.3]], 8: [[0.2 + 0.01 * n, 0.5, 0.8] for n in range(8)]}


def test_every_piece_is_a_mark() -> None:
    svg = arrivals_chart(ARRIVALS)
    tree = ET.fromstring(svg)
    rows = [group for group in tree.iter() if "LineCollection" in (group.get("id") or "")]
    marks = [sum(path.tag.endswith("path") for path in row.iter()) for row in rows]
    assert marks == [len(answer) for answers in ARRIVALS.values() for answer in answers]
    assert "1 stream<" in svg and "8 streams<" in svg
    assert "1 at a time: 2 answers in up to 0.35 s; 8 at a time: 8 answers in up to 0.80 s" in svg


def test_the_same_arrivals_are_the_same_bytes_and_nothing_is_drawn_of_nothing() -> None:
    assert arrivals_chart(ARRIVALS) == arrivals_chart(ARRIVALS)
    assert ET.fromstring(arrivals_chart({1: [[]], 8: []})) is not None
