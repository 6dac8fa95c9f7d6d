"""Writes the things and boxes that ms-swift's `objects` name into texts that refer to them. Opens no picture.

A text has `<ref-object>` and `<bbox>` where they stand, in their order; `objects` has `ref`, `bbox` and
`bbox_type`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from manus.data.forms.columns import Columns, is_empty
from manus.data.forms.literals import read_literal, shortened
from manus.data.sample import Message, RowError

_MARK = re.compile(r"<(ref-object|bbox)>")
THOUSANDTHS = 1000


def with_boxes(row: Columns, messages: list[Message]) -> list[Message]:
    """Return turns with things, and boxes in thousandths of a picture's sides; without `objects`, the turns.

    Raises:
        RowError: there are more or fewer than marks, or boxes are in pixels.
    """
    given = row.get("objects")
    marks = [mark for message in messages for mark in _MARK.findall(message["content"])]
    if is_empty(given) or not marks:
        return messages
    objects = _objects(row.take("objects"))
    things, boxes = (list(objects.get(key) or []) for key in ("ref", "bbox"))
    if (marks.count("ref-object"), marks.count("bbox")) != (len(things), len(boxes)):
        raise RowError(
            f"its texts have {marks.count('ref-object')} <ref-object> and {marks.count('bbox')} <bbox>, "
            f"and its objects {len(things)} ref and {len(boxes)} bbox"
        )
    scale = _scale(objects) if boxes else 1
    written = {"ref-object": iter(map(str, things)), "bbox": iter([_box(box, scale) for box in boxes])}
    filled: list[Message] = []
    for message in messages:
        content = _MARK.sub(lambda match: next(written[match[1]]), message["content"])
        if isinstance(message.get("learn"), list) and content != message["content"]:
            raise RowError("a turn says which of its characters are learned, but objects are put into it")
        filled.append({**message, "content": content})
    return filled


def _objects(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = read_literal(value)
        except ValueError as error:
            raise RowError(f"'objects' is {error}") from None
    if not isinstance(value, Mapping):
        raise RowError(f"'objects' has ref and bbox; it is {shortened(value)}")
    return value


def _scale(objects: Mapping[str, Any]) -> int:
    kind = objects.get("bbox_type") or "real"
    if kind not in ("norm1", "norm1000"):
        raise RowError(
            f"its boxes are in pixels (bbox_type: {kind}), and a picture is made smaller "
            "before the model sees it; give shares of its sides (bbox_type: norm1) or thousandths (norm1000)"
        )
    return THOUSANDTHS if kind == "norm1" else 1


def _box(box: Any, scale: int) -> str:
    if not isinstance(box, list | tuple) or not all(isinstance(one, int | float) for one in box):
        raise RowError(f"a bbox is a list of numbers, not {shortened(box)}")
    return str([round(scale * one) for one in box])
