from __future__ import annotations

import math
from typing import Any
from xml.etree import ElementTree

import pytest

from manus.charts.drawing import loss_curve
from manus.charts.metrics import LONGEST_LABEL, MOST_POINTS, labelled, metric_charts, points_of, thinned
from manus.charts.subjects import CHARTS, SLUGS

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "_<script>alert(1)</script>\x00$x^2$"
GRPO = {
    "loss": 0.1,
    "reward": 0.5,
    "reward_std": 0.2,
    "rewards/form/mean": 0.4,
    "rewards/form/std": 0.1,
    "kl": 0.01,
    "entropy": 0.7,
    "completions/mean_length": 90,
    "completions/min_length": 20,
    "completions/max_length": 256,
    "completions/clipped_ratio": 0.1,
    "clip_ratio/region_mean": 0.01,
    "frac_reward_zero_std": 0.2,
}
PPO = {
    "reward": 0.5,
    "reward_std": 0.2,
    "rewards/form/mean": 0.4,
    "kl": 0.01,
    "kl_coefficient": 0.05,
    "entropy": 0.7,
    "policy_loss": -0.01,
    "value_loss": 0.3,
    "clip_ratio/policy": 0.1,
    "clip_ratio/value": 0.05,
    "explained_variance": 0.4,
    "completions/mean_length": 90,
    "completions/clipped_ratio": 0.1,
}
DPO = {
    "rewards/chosen": 0.1,
    "rewards/rejected": -0.2,
    "rewards/margins": 0.3,
    "rewards/accuracies": 0.6,
    "logps/chosen": -100.0,
    "logps/rejected": -110.0,
    "entropy": 0.7,
}
ORPO = {**DPO, "log_odds_ratio": -0.5, "nll_loss": 1.2}
DISTILLATION = {"divergence": 0.4, "on_policy_share": 0.5, "completions/mean_length": 80}


def logged(metrics: dict[str, Any], count: int = 9) -> list[dict[str, Any]]:
    return [{"step": step, **metrics} for step in range(1, count + 1)]


def titled(svg: str) -> str:
    title = ElementTree.fromstring(svg).find(f"{SVG}title")
    assert title is not None
    return title.text or ""


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("metrics", "slugs"),
    [
        (GRPO, "rewards reward_spread kl completion_length clip_fraction entropy"),
        (PPO, "rewards reward_spread kl completion_length clip_fraction entropy policy_loss value"),
        (DPO, "margins accuracy logps entropy"),
        (ORPO, "margins accuracy logps odds entropy"),
        (DISTILLATION, "divergence on_policy completion_length"),
        ({"loss": 1.0, "learning_rate": 1e-4, "tokens": 9}, ""),
    ],
)
def test_subjects_are_drawn_that_were_logged(metrics: dict[str, Any], slugs: str) -> None:
    assert list(metric_charts(logged(metrics))) == slugs.split()


def test_every_metric_of_a_subject_can_stand_alone() -> None:
    lines = [(chart.slug, line.key) for chart in CHARTS for line in chart.lines]
    assert len(lines) > 20
    assert len(set(SLUGS)) == len(SLUGS)
    for slug, key in lines:
        (drawn,) = metric_charts(logged({key: 0.5})).items()
        assert drawn[0] == slug
        assert "legend" not in drawn[1], key


def test_each_stands_alone_and_names_itself_its_axes_and_lines() -> None:
    for slug, svg in metric_charts(logged(GRPO)).items():
        assert ElementTree.fromstring(svg).get("role") == "img"
        assert "from " in titled(svg), slug
        assert "step" in texts(svg)
        assert "currentColor" in svg
        for leak in ("#010203", "<metadata", "DejaVu", "<script", "file:", "@import"):
            assert leak not in svg
    charts = metric_charts(logged(GRPO))
    assert titled(charts["rewards"]) == "Reward: total from 0.5 to 0.5, form from 0.4 to 0.4 over 9 steps"
    assert {"Reward", "total", "form", "reward, mean of a step"} <= set(texts(charts["rewards"]))
    wanted = {
        "tokens",
        "mean",
        "shortest to longest",
        "cut off at the limit (right axis)",
        "share cut off",
        "100 %",
    }
    assert wanted <= set(texts(charts["completion_length"]))


def test_one_point_is_no_line_and_what_is_no_number_is_skipped() -> None:
    nothing = (None, math.nan, math.inf, "0.5", True, [1])
    entries = [{"step": step, "kl": value} for step, value in enumerate((0.1, *nothing))]
    assert metric_charts(entries) == {}
    assert metric_charts([{"step": None, "kl": 0.3}, {"kl": 0.4}, *entries]) == {}
    svg = metric_charts([*entries, {"step": 9, "kl": 0.25}])["kl"]
    assert titled(svg) == "Distance from the reference model: KL from 0.1 to 0.25 over 9 steps"
    assert points_of(entries, "kl") == ([0], [0.1])
    assert metric_charts([]) == {}


def test_a_band_needs_both_of_its_ends() -> None:
    whole, half = dict(GRPO), {key: value for key, value in GRPO.items() if key != "completions/min_length"}
    assert "shortest to longest" in metric_charts(logged(whole))["completion_length"]
    assert "shortest to longest" not in metric_charts(logged(half))["completion_length"]


def test_names_of_components_are_only_text() -> None:
    names = [HOSTILE, "$", "_", "a\nb", "\\frac{", "x" * 99, *map(str, range(20))]
    svg = metric_charts(logged({"reward": 1.0, **{f"rewards/{name}/mean": 0.5 for name in names}}))["rewards"]
    assert "<script" not in svg
    assert {labelled(name) for name in names} <= set(texts(svg))


def test_labels_have_a_bearable_length() -> None:
    assert labelled("correct") == "correct"
    assert len(labelled("x" * 99)) == LONGEST_LABEL
    assert labelled("a\x00b\u202e") == "a\ufffdb\ufffd"


def test_long_histories_are_thinned_without_loss_of_their_mean() -> None:
    steps, values = [float(step) for step in range(3000)], [float(step % 10) for step in range(3000)]
    thin = thinned((steps, values))
    assert len(thin[0]) == len(thin[1]) == MOST_POINTS
    assert set(thin[1]) == {4.5}
    assert set(thinned((steps, values), max)[1]) == {9.0}
    assert thinned((steps[:9], values[:9])) == (steps[:9], values[:9])
    assert len(metric_charts(logged(GRPO, 5000))["rewards"]) < 60_000


def test_the_same_entries_give_the_same_bytes() -> None:
    assert metric_charts(logged(GRPO)) == metric_charts(logged(GRPO))
    assert loss_curve(logged(GRPO)) == loss_curve(logged(GRPO))
