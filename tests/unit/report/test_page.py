from __future__ import annotations

import io
import re
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from manus.data.examination import Reason, reasons
from manus.evaluation.gates import Verdict
from manus.evaluation.numbers import difference, percent
from manus.plan.artifacts import Plan
from manus.report.graph import GAP_X, GAP_Y, NODE_HEIGHT, NODE_WIDTH, layout, reduced
from manus.report.page import pairs_told, print_summary, printable, render, size, spell_seconds, summary_rows
from manus.report.samples import LONGEST_TEXT, SHOWN_ON_DEMAND, choose, shortened, split
from manus.report.summary import Gain, SummaryRow, headline, unpublished
from manus.report.values import shown
from tests.unit.report.report_fixture import (
    COT,
    JUDGED,
    JUDGES,
    OWN_PAIRS,
    PAIRS,
    RULES,
    TEXTS,
    TOOLS,
    Fake,
    build,
)

HOSTILE = "<script>alert(1)</script></pre></style>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}\x00\u202e"
VOID = {"meta", "img", "br", "hr", "link", "input"}
Built = tuple[Plan, list[Verdict]]


class Page(HTMLParser):
    """Collects what a browser would see, and checks that every tag is closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.feed(html)
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, attribute: str) -> list[str]:
        """Return every value of an attribute."""
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Built:
    worse = Fake("tools", "tools", shares=(0.6, 0.62, 0.3))
    return build(tmp_path_factory.mktemp("failed"), [COT, worse, TEXTS], gate="{min_gain: 0.05}")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(
        tmp_path_factory.mktemp("hostile"),
        [COT, TOOLS, RULES, OWN_PAIRS, JUDGED],
        hostile=HOSTILE,
        judges=JUDGES,
    )


@pytest.fixture(scope="module")
def rewarded(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("rewarded"), [COT, RULES, PAIRS], gate="")


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("judged"), [COT, JUDGED, OWN_PAIRS, TEXTS], gate="", judges=JUDGES)


@pytest.fixture(scope="module")
def page(built: Built) -> Page:
    return Page(render(*built))


def test_the_file_needs_nothing_else(built: Built, page: Page) -> None:
    html = render(*built)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "link", "img", "iframe", "object"})
    assert not re.search(r"https?://(?!www\.w3\.org/)", html)
    assert not re.search(r"@import|@font-face|url\((?!#)", html)
    assert any("default-src 'none'" in content for content in page.all("content"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]


def test_it_says_what_got_better_in_its_first_lines(built: Built, page: Page) -> None:
    rows = summary_rows(built[0])
    assert [row.verdict for row in rows] == ["better", "better"]
    assert page.text.index("Both stages got better") < page.text.index("Results on held-out data")
    for row in rows:
        assert row.sentence in page.text
    assert "was not published" not in page.text


def test_the_title_is_of_the_content_and_no_path_or_recipe_name_shows(built: Built) -> None:
    html = render(*built)
    assert "<title>SmolLM2-135M-Instruct + cot, tools</title>" in html
    assert "secret-name" not in html
    assert str(built[0].output_dir.parent) not in html


def test_links_have_targets_and_ids_are_unique(page: Page) -> None:
    ids = page.all("id")
    assert len(ids) == len(set(ids))
    assert_links_have_targets(page)
    references = re.findall(r"url\(#([^)]+)\)", " ".join(page.all("clip-path") + page.all("marker-end")))
    assert references
    assert set(references) <= set(ids)


def assert_links_have_targets(page: Page) -> None:
    """Check that there are links, all of them to places in this page."""
    links = [link for link in page.all("href") + page.all("xlink:href") if link]
    assert len(links) > 20
    assert [link for link in links if not (link.startswith("#") and link[1:] in page.all("id"))] == []


@pytest.mark.parametrize(
    "expected",
    [
        "held-out sample", "What came before the question", "Start a timer of", "became right",
        "the same as after",
        "2 × no answer (first: problems.jsonl:17)", "12 × duplicates", "shortest 61 · half up to 139",
        "epochs 2", "rank 8",
        "training. learning_rate", "All settings of cot", "3 steps n = 27", "arithmetic",
        "4,884,480 trained parameters",
        "differ from those of base plus stages by at most 6.7e-05", "cores", "transformers", "Lineage",
        "LlamaForCausalLM", "Each stage builds on those before it",
        "lies below the better of before and after",
    ],
)  # fmt: skip
def test_all_parts_are_there(page: Page, expected: str) -> None:
    assert expected in page.text


def test_every_job_shows_its_key_and_time(built: Built, page: Page) -> None:
    jobs = [artifact for artifact in built[0].artifacts.values() if artifact.kind != "report"]
    assert len(jobs) == 9
    for artifact in jobs:
        assert artifact.key in page.text
        assert spell_seconds(built[0].store.manifest(artifact.key).seconds) in page.text


def test_a_failed_gate_stands_at_the_top_with_its_numbers(failed: Built) -> None:
    plan, verdicts = failed
    page = Page(render(plan, verdicts))
    assert [verdict.is_passed for verdict in verdicts] == [True, False, True]
    place = page.text.index("merged/ was not published: 1 of 3 gates failed.")
    assert place < page.text.index("stages got better")
    assert (
        "tools : the gate asks that the merged model is better than the stage's start by at least 5 points"
        in page.text
    )
    assert "alert" in page.all("role")


def test_perplexity_is_shown_as_what_it_is(failed: Built) -> None:
    row = summary_rows(failed[0])[2]
    page = Page(render(*failed))
    assert re.fullmatch(
        r"house-style: perplexity \d+\.\d\d → \d+\.\d\d \(\+0\.\d\d nats per token, "
        r"95 % interval 0\.\d\d … 0\.\d\d, n = 80\)",
        row.sentence,
    )
    assert "perplexity, less is better, n = 80" in page.text
    assert "better foreseen" in page.text


def test_what_models_and_data_say_is_escaped(hostile: Built) -> None:
    html = render(*hostile)
    page = Page(html)
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert "\x00" not in html
    assert "7 * 7" in html
    shown_as_text = page.text.count("<script>alert(1)</script></pre></style>")
    places = (
        "What the models said",
        "Quarantined",
        "Left aside",
        "Columns not read",
        "part before after merged",
        "targets",
        "Some rewards could not be computed",
        "Completions over training",
        "Reward: total from",
    )
    assert shown_as_text > 100 and "(40 rows)" in page.text
    for place in places:
        assert "<script>" in page.text[page.text.index(place) :][:900], place


def stage_of(page: Page, name: str, following: str) -> str:
    """Return the text of one stage's part."""
    return page.text[
        page.text.index(f"All settings of {name}") : page.text.index(f"All settings of {following}")
    ]


def test_what_rewards_taught_is_shown_below_the_loss(rewarded: Built) -> None:
    page = Page(render(*rewarded))
    rules, pairs = stage_of(page, "cot", "rules"), stage_of(page, "rules", "preferred")
    order = [
        "Some rewards could not be computed.",
        "runs : TimeoutExpired after 5 seconds (14 ×)",
        "while True: pass",
        "How it learned",
        "Reward: total from",
        "Distance from the reference model: KL from",
        "Length of completions: mean",
        "Updates that were clipped",
        "Completions over training",
        "A shelf has 4 rows",
        "A shelf has 7 rows",
        "What the models said",
    ]
    places = [rules.index(part) for part in order]
    assert places == sorted(places)
    assert "How it learned" in pairs
    assert "Reward of chosen and rejected answers: chosen from" in pairs
    for absent in (
        "Some rewards could not",
        "Completions over training",
        "Entropy",
        "Distance from the reference",
    ):
        assert absent not in pairs, absent
    ids = page.all("id")
    assert len(ids) == len(set(ids))


def test_reward_models_are_shown_with_what_they_rank_right(judged: Built) -> None:
    page = Page(render(*judged))
    part = page.text[
        page.text.index("Each learns from pairs of answers") : page.text.index("All settings of cot")
    ]
    first, second = (part[part.index(f"{name} ranks 81.2 %") :] for name in JUDGES)
    for expected in (
        "ranks 81.2 % of held-out pairs right · 1,000 pairs · 752 steps",
        "Loss 0.",
        "Asked by judged",
        "problems.jsonl",
        "Held-out pairs ranked right 48.8 % → 81.2 % of 80",
        "Pairs in which the chosen answer is rewarded more",
        "training. epochs 2 set",
        "data. held_out – default",
    ):
        assert expected in first, expected
    assert "Held-out pairs ranked right 81.2 % of 80" in second, "before is not known of 4-bit weights"
    assert "Asked by no stage" in second
    assert "data. data" not in part
    assert {"reward-models", "reward-judge", "reward-second-opinion"} <= set(page.all("id"))
    assert_links_have_targets(page)


def test_pairs_of_own_answers_are_told_in_the_stage(judged: Built) -> None:
    page = Page(render(*judged))
    stage = stage_of(page, "judged", "preferred")
    for expected in (
        "preferred cot · dpo · 74 pairs",
        "Prompts 1,000",
        "Own answers 160 prompts gave 74 pairs; 50 always right, 36 always "
        "wrong. Of the answers 56.2 % were right.",
        "pairs/preferred/pairs.jsonl",
    ):
        assert expected in stage, expected
    assert "Own answers" not in stage_of(page, "cot", "judged")


def test_what_gave_no_pairs_is_said_in_words() -> None:
    made = {"prompts": 1200, "pairs": 40, "all_right": 0, "all_wrong": 3, "too_long": 2, "right_share": 0.5}
    said = "1,200 prompts gave 40 pairs; 3 always wrong, 2 pairs too long. Of the answers 50 % were right."
    assert pairs_told(made) == said
    assert "; 7 without a whole answer." in pairs_told(
        {**made, "all_wrong": 0, "too_long": 0, "unanswered": 7}
    )
    assert pairs_told({**made, "all_wrong": 0, "too_long": 0}).startswith("1,200 prompts gave 40 pairs. ")


@pytest.mark.parametrize("compose", ["sequential", "parallel"])
def test_reward_models_and_pairs_are_drawn_beside_what_needs_them(tmp_path: Path, compose: str) -> None:
    plan, _ = build(tmp_path, [COT, JUDGED, OWN_PAIRS, TEXTS], compose=compose, gate="", judges=JUDGES)
    graph = layout(plan)
    nodes = {node.id: node for node in graph.nodes}
    step = NODE_HEIGHT + GAP_Y
    for above, below in (
        ("data/judge", "reward/judge"),
        ("data/second-opinion", "reward/second-opinion"),
        ("pairs/preferred", "train/preferred"),
    ):
        assert (nodes[below].x, nodes[below].y) == (nodes[above].x, nodes[above].y + step)
    assert nodes["reward/judge"].column + 1 == nodes["train/judged"].column
    for path in graph.arrows:
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
        if "V" in path:
            assert numbers[2] - numbers[1] == GAP_Y, "down to the next box, never through one"
        else:
            assert numbers[-2] - numbers[0] == GAP_X, "to the next column, never back or past one"
    from_second = (nodes["reward/second-opinion"].x + NODE_WIDTH, nodes["reward/second-opinion"].middle)
    assert not [path for path in graph.arrows if path.startswith(f"M{from_second[0]:g} {from_second[1]:g}C")]


def test_nothing_of_rewards_is_shown_where_there_are_none(page: Page) -> None:
    for absent in (
        "Reward models",
        "Own answers",
        "How it learned",
        "Completions over training",
        "Some rewards could not be computed",
    ):
        assert absent not in page.text


def test_the_same_store_gives_the_same_report(built: Built) -> None:
    assert render(*built) == render(*built)


@pytest.mark.parametrize("compose", ["sequential", "parallel"])
def test_twelve_stages_are_drawn_apart_and_in_time(tmp_path: Path, compose: str) -> None:
    fakes = [Fake(f"cot-{number}") for number in range(12)]
    plan, verdicts = build(tmp_path, fakes, compose=compose, gate="")
    started = time.process_time()
    page = Page(render(plan, verdicts))
    assert time.process_time() - started < 6
    assert "The recipe sets no gates" in page.text
    graph = layout(plan)
    boxes = [(node.x, node.y) for node in graph.nodes]
    assert len(boxes) == len(plan.artifacts) + 1
    for x, y in boxes:
        assert 0 <= x <= graph.width - NODE_WIDTH
        assert 0 <= y <= graph.height - NODE_HEIGHT
        close = [
            o for o in boxes if o != (x, y) and abs(o[0] - x) < NODE_WIDTH and abs(o[1] - y) < NODE_HEIGHT
        ]
        assert close == []
    (middle,) = {node.x + NODE_WIDTH / 2 for node in graph.nodes if node.kind == "train"}
    downward = [path for path in graph.arrows if path.startswith(f"M{middle:g} ")]
    assert len(downward) == (11 if compose == "sequential" else 0)


def test_a_converted_base_stands_between_detection_and_data(tmp_path: Path) -> None:
    plan, verdicts = build(tmp_path, [COT], is_gguf=True)
    assert "SmolLM2-135M-Instruct.Q8_0 + cot" in Page(render(plan, verdicts)).text
    nodes = layout(plan).nodes
    assert [node.id for node in nodes if node.column == 0] == ["model", "detect/detected", "base/base"]


def test_arrows_that_follow_from_others_are_left_out() -> None:
    needs = {"b": {"a"}, "c": {"a", "b"}, "d": {"a", "b", "c"}, "e": {"a"}}
    assert reduced(needs) == [("a", "b"), ("b", "c"), ("c", "d"), ("a", "e")]


def row(name: str, gain: Gain) -> SummaryRow:
    metric = "accuracy" if gain.is_share else "perplexity"
    return SummaryRow(name, "cot", "lora", metric, gain.is_share, 0.12, 0.6, 0.58, gain, gain, 80)


def test_a_sentence_in_plain_words() -> None:
    sentence = "cot: 12 % → 58 % (+46 points, 95 % interval 33 … 58, n = 80)"
    assert row("cot", Gain(0.46, 0.33, 0.58, True)).sentence == sentence


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.2, "better"),
        (-0.2, -0.01, "worse"),
        (-0.1, 0.1, "not shown"),
        (0.0, 0.1, "not shown"),
        (-0.1, 0.0, "not shown"),
        (0.0, 0.0, "not shown"),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(low: float, high: float, verdict: str) -> None:
    assert Gain((low + high) / 2, low, high, True).verdict == verdict


def test_headlines() -> None:
    up, flat, down = (
        row(name, Gain(v, v - 0.1, v + 0.1, True)) for name, v in (("a", 0.2), ("b", 0), ("c", -0.2))
    )
    assert headline([up]) == "a got better on held-out data."
    assert headline([up, up]) == "Both stages got better on held-out data."
    assert headline([up, up, up]) == "All 3 stages got better on held-out data."
    assert headline([up, flat, down]) == "1 of 3 stages got better on held-out data; c got worse."
    assert headline([flat, flat]) == "None of 2 stages got better on held-out data."
    assert headline([flat]) == "b shows no clear change on held-out data."


def test_numbers_as_people_read_them() -> None:
    assert (percent(0.125), percent(1.0), percent(0.1, is_column=True)) == ("12.5 %", "100 %", "10.0 %")
    assert difference(-0.0001, True, signed=True) == "0 points"
    assert difference(0.46, True, signed=True) == "+46 points"
    assert difference(-0.05, True) == "−5 points"
    assert difference(0.314, False, signed=True) == "+0.31 nats per token"
    assert (size(528), size(12_345), size(540_000_000)) == ("528 B", "12.3 kB", "540 MB")
    assert (spell_seconds(0.44), spell_seconds(61)) == ("0.4s", "1m01s")
    assert (shown(1234567), shown(2e-4), shown(True), shown(None)) == ("1,234,567", "0.0002", "yes", "–")
    assert shown({"a": (1, 2.5)}) == "a: 1, 2.5"


@pytest.mark.parametrize("width", [80, 140])
def test_the_table_on_a_terminal(failed: Built, width: int) -> None:
    out = io.StringIO()
    print_summary(*failed, Console(file=out, width=width))
    lines = out.getvalue().splitlines()
    assert all(len(line.rstrip()) <= width for line in lines)
    assert re.match(r"cot .* \+\d+\.\d pt +\d+\.\d … \d+\.\d +80 +better", lines[1])
    assert ("lora" in lines[1]) == (width == 140)
    assert "merged/ was not published: 1 of 3 gates failed." in lines
    assert any(line.startswith("  FAILED: tools: min_gain") for line in lines)
    assert "…" not in lines[0], "a heading was cut"


def test_passed_gates_are_no_reason_to_hide_anything(built: Built) -> None:
    assert len(built[1]) == 2
    assert unpublished(built[1]) == ""
    assert unpublished([]) == ""


def measured(*values: list[float]) -> dict[str, dict[str, list[object]]]:
    said = [{"text": f"answer {index}", "note": ""} for index in range(len(values[0]))]
    return {
        model: {"values": list(v), "said": list(said)}
        for model, v in zip(("before", "after", "merged"), values, strict=True)
    }


def test_samples_that_changed_come_first_and_bad_news_is_kept() -> None:
    before = [0.0] * 40 + [1.0] * 10
    merged = [1.0] * 30 + [0.0] * 15 + [1.0] * 5
    asked = [{"prompt": f"user: question {index}", "expected": "x"} for index in range(50)]
    chosen = choose(asked, measured(before, merged, merged), is_share=True)
    changes = [sample.change for sample in chosen.shown]
    assert changes == ["became right"] * 3 + ["became wrong"] * 2 + ["stayed wrong"]
    assert len(chosen.shown) + len(chosen.more) == SHOWN_ON_DEMAND
    assert chosen.tally == {"became right": 30, "became wrong": 5, "stayed wrong": 10, "stayed right": 5}
    numbers = [sample.number for sample in (*chosen.shown, *chosen.more)]
    assert len(numbers) == len(set(numbers))
    assert [answer.repeats for answer in chosen.shown[0].answers] == ["", "before", "before"]
    assert [answer.is_right for answer in chosen.shown[0].answers] == [False, True, True]


def test_what_stayed_wrong_is_shown_before_more_successes() -> None:
    before, merged = [0.0] * 20, [1.0] * 10 + [0.0] * 10
    chosen = choose([{"prompt": "p", "expected": "e"}] * 20, measured(before, merged, merged), is_share=True)
    assert [sample.change for sample in chosen.shown] == ["became right"] * 3 + ["stayed wrong"] * 3


def test_texts_are_chosen_by_how_much_better_they_are_foreseen() -> None:
    before, merged = [2.0] * 9, [2.0 + 0.1 * (index - 4) for index in range(9)]
    chosen = choose([{"prompt": "t", "expected": ""}] * 9, measured(before, merged, merged), is_share=False)
    assert [sample.number for sample in chosen.shown] == [1, 2, 3, 7, 8, 9]
    assert all(answer.is_right is None for sample in chosen.shown for answer in sample.answers)


def test_few_samples_are_all_shown() -> None:
    chosen = choose([{"prompt": "p", "expected": "e"}] * 2, measured([0, 1], [1, 1], [1, 1]), is_share=True)
    assert len(chosen.shown) == 2
    assert chosen.more == []


def test_a_prompt_is_cut_before_its_last_question() -> None:
    assert split("user: how many?") == ("", "how many?")
    assert split("system: s\n\nuser: a\n\nassistant: b\n\nuser: c\n\nd") == (
        "system: s\n\nuser: a\n\nassistant: b",
        "c\n\nd",
    )
    assert split("a text") == ("", "a text")


def test_long_texts_are_shortened_and_say_so() -> None:
    assert shortened("a" * LONGEST_TEXT) == "a" * LONGEST_TEXT
    assert shortened("a" * (LONGEST_TEXT + 5)).endswith("a … (5 more characters)")


def test_characters_that_html_does_not_have_are_replaced() -> None:
    assert printable("a\x00\x1b\ud800\n\tb") == "a\ufffd\ufffd\ufffd\n\tb"
    assert printable(7) == 7


def test_quarantine_reasons_are_counted() -> None:
    rows = [{"place": f"f:{index}", "reason": reason} for index, reason in enumerate("abb")]
    assert reasons(rows) == [Reason("b", 2, "f:1"), Reason("a", 1, "f:0")]


def test_reporting_needs_no_torch() -> None:
    code = (
        "import sys, manus.report.page; "
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'matplotlib')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_each_stage_shows_how_long_its_samples_are(built: Built, page: Page) -> None:
    assert render(*built).count("<title>Tokens per sample: 1,000 samples") == len(built[0].recipe.stages)
    assert "Learned 42.2 % of the tokens" in page.text
