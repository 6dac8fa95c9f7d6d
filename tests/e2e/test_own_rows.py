"""A user's own instructions, without an answer that could be verified: from the file to the report."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.e2e.product import Product
from tests.pico import PLACES, TRIPLES, write_rows


@pytest.fixture(scope="module")
def product(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Product:
    """What `manus new --data` made of a file, run by Snakemake."""
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(pico_base, folder / "base")
    rows = [
        {
            "instruction": f"first of {' '.join(map(str, triple))}",
            "input": "",
            "output": f"It is {triple[PLACES['first']]}, I think.",
        }
        for triple in TRIPLES[::4]
    ]
    write_rows(folder / "mine.jsonl", rows)
    product = Product(folder, folder / "mine.yaml")
    product.manus("new", "--data", "mine.jsonl", "-o", "mine.yaml")
    product.edit(
        "batch_size: 4",
        "batch_size: 16\n  epochs: 12\n  learning_rate: 5e-3\n  held_out: 30\n  precision: fp32",
    )
    product.edit(
        "capabilities:\n",
        "guards: {cooldown_every_steps: 0}\ngates: {instruct: {min_gain: 0.5}}\ncapabilities:\n",
    )
    product.snakemake(config="base_model=base")
    return product


def test_it_trains_and_its_gain_is_in_nats(product: Product) -> None:
    (told,) = [json.loads((product.results / "evaluations" / "instruct.json").read_text())]
    assert told["metric"] == "nats_per_answer_token" and not told["higher_is_better"]
    assert told["samples"] == 30 and told["after"]["value"] < told["before"]["value"] / 2
    assert told["gain"]["low"] > 0.5 and (product.results / "merged" / "model.safetensors").exists()
    assert sum(said["text"].startswith("It is ") for said in told["after"]["said"]) >= 10


def test_the_report_shows_the_answers_side_by_side(product: Product) -> None:
    page = (product.results / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(
        r"nats per answer token \d\.\d\d → \d\.\d\d \(\+\d\.\d\d nats per token, 95 % interval", text
    )
    assert "nats per answer token, less is better, n = 30" in text
    assert re.search(
        r"Asked first of \d \d \d Expected It is \d, I think\. before .+? after It is \d, I think\.", text
    )
    assert re.search(r"the row's own answer: \d\.\d\d nats per token", text.replace("&#39;", "'"))


def test_the_plan_says_how_it_is_measured(product: Product) -> None:
    told = product.manus("plan", "mine.yaml", "--set", "base_model=base").stdout
    assert "instruct is measured by held-out nats per answer token: no answer is verified" in told
