from __future__ import annotations

import math
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from manus.charts.drawing import length_histogram, loss_curve, smoothed

HISTORY = [
    {"step": step, "loss": 2 * math.exp(-step / 20) + 0.1 * (step % 3), "learning_rate": 1e-4 * step / 60}
    for step in range(1, 61)
]


def test_the_same_history_gives_the_same_bytes() -> None:
    assert loss_curve(HISTORY) == loss_curve(list(HISTORY))


def test_it_stands_alone_and_names_itself() -> None:
    svg = loss_curve(HISTORY)
    root = ElementTree.fromstring(svg)
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert (
        title.text
        == f"Training loss from {HISTORY[0]['loss']:.3f} to {HISTORY[-1]['loss']:.3f} over 60 steps"
    )
    assert root.get("role") == "img"
    assert "currentColor" in svg
    assert "#010203" not in svg
    for leak in ("<metadata", "DejaVu", "<script", "file:", "@import"):
        assert leak not in svg


def test_the_learning_rate_is_drawn_when_there_is_one() -> None:
    without = [{"step": entry["step"], "loss": entry["loss"]} for entry in HISTORY]
    assert "learning" in loss_curve(HISTORY)
    assert "learning" not in loss_curve(without)


@pytest.mark.parametrize(
    ("history", "title"),
    [
        ([], "Training loss: none recorded"),
        ([{"train_runtime": 3.0}], "Training loss: none recorded"),
        ([{"step": 1, "loss": 2.5, "learning_rate": 0.0}], "Training loss from 2.500 to 2.500 over 1 steps"),
        (
            [{"step": 1, "loss": 2.0}, {"step": 2, "loss": math.nan}, {"step": 3, "loss": 1.0}],
            "Training loss from 2.000 to 1.000 over 3 steps",
        ),
        (
            [{"step": s, "loss": 1.0, "learning_rate": 0.0} for s in (1, 2)],
            "Training loss from 1.000 to 1.000 over 2 steps",
        ),
        (
            [{"step": 1, "loss": None}, *({"step": s, "loss": 1.0, "learning_rate": None} for s in (2, 3))],
            "Training loss from 1.000 to 1.000 over 3 steps",
        ),
    ],
)
def test_odd_histories_are_drawn_too(history: list[dict[str, float]], title: str) -> None:
    svg = loss_curve(history)
    assert ElementTree.fromstring(svg) is not None
    assert f"<title>{title}</title>" in svg


def test_only_a_loss_without_rewards_has_a_unit() -> None:
    assert "nats per token" in loss_curve(HISTORY)
    assert "nats per token" not in loss_curve([{**entry, "reward": 0.5} for entry in HISTORY])


def test_no_settings_of_matplotlib_stay_changed() -> None:
    before = dict(mpl.rcParams)
    loss_curve(HISTORY)
    assert dict(mpl.rcParams) == before


def test_smoothing_neither_lags_nor_changes_a_line() -> None:
    line = [3.0 - 0.1 * index for index in range(30)]
    assert smoothed(line, 4) == pytest.approx(line)
    assert smoothed([1.0, 0.0, 1.0, 0.0, 1.0], 1) == pytest.approx([1.0, 2 / 3, 1 / 3, 2 / 3, 1.0])
    assert smoothed([], 2) == []


@pytest.mark.parametrize(("max_length", "is_marked"), [(96, True), (4096, False)])
def test_lengths_are_drawn_with_the_limit_where_it_is_near(max_length: int, is_marked: bool) -> None:
    svg = length_histogram([0, 20, 40, 60, 80, 100], [3, 0, 12, 7, 1], max_length)
    title = ElementTree.fromstring(svg).find("{http://www.w3.org/2000/svg}title")
    assert title is not None and title.text == "Tokens per sample: 23 samples of 0 to 100 tokens"
    assert ("max_length" in svg) is is_marked and "currentColor" in svg
    assert svg == length_histogram([0, 20, 40, 60, 80, 100], [3, 0, 12, 7, 1], max_length)
