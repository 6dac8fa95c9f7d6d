"""Lines of a stream become events."""

from __future__ import annotations

from manus.serving.events import events_of


def test_events_are_read_and_what_is_none_is_passed_over() -> None:
    lines = [": ping", "event: x", 'data: {"a": 1}', "", 'data:{"b": "data: 2"}', "data: [DONE]"]
    assert list(events_of(lines)) == [{"a": 1}, {"b": "data: 2"}]
