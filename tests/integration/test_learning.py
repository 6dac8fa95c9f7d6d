"""Every method makes a held-out metric better than before, and not when the labels are shuffled."""

from __future__ import annotations

from pathlib import Path

import pytest

from manus.methods import known_methods
from tests.integration.stage import measured, prepared, rows, trained

METHODS = known_methods()
ALIGNMENT = ("distillation", "dpo", "grpo", "orpo", "ppo")  # test_alignment.py
OF_SENSES = ("alignment",)  # test_senses_learn.py
ELSEWHERE = (*ALIGNMENT, *OF_SENSES)
ON_CHATS = [name for name, method in METHODS.items() if "messages" in method.SAMPLE_KINDS and name not in ELSEWHERE]
RATES = {"sft": 2e-3}


@pytest.fixture(scope="module")
def data(pico_base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`first` with right and with shuffled labels; the held-out side always has right ones."""
    folder = tmp_path_factory.mktemp("data")
    right = prepared(pico_base, folder / "right", rows("first", 440))
    shuffled = prepared(pico_base, folder / "shuffled", rows("first", 440, shuffled=True))
    return {"right": right, "shuffled": shuffled}


def test_all_methods_are_covered() -> None:
    assert ON_CHATS == ["dora", "lora", "qlora", "sft"]
    assert set(METHODS) - set(ON_CHATS) == {"cpt", *ELSEWHERE}


def test_the_base_knows_last_and_not_first(pico_base: Path, data: dict[str, Path], tmp_path: Path) -> None:
    known = prepared(pico_base, tmp_path / "last", rows("last", 60, seed=5), held_out=40)
    assert measured(pico_base, [], known)["value"] > 0.9
    assert measured(pico_base, [], data["right"])["value"] < 0.4


@pytest.mark.parametrize("method", ON_CHATS)
def test_a_method_learns_and_shuffled_labels_do_not(
    pico_base: Path, data: dict[str, Path], tmp_path: Path, method: str
) -> None:
    rate = RATES.get(method, 5e-3)
    before = measured(pico_base, [], data["right"])
    stage = trained(pico_base, data["right"], tmp_path / "right", method, learning_rate=rate)
    after = measured(pico_base, [stage], data["right"])
    ablated = trained(pico_base, data["shuffled"], tmp_path / "shuffled", method, learning_rate=rate)
    control = measured(pico_base, [ablated], data["right"])
    assert after["value"] > 0.8, "the stage must learn"
    assert after["low"] > before["high"], "by more than chance"
    assert after["low"] > control["high"], "and from the labels, not from the format"


def test_cpt_lowers_held_out_perplexity_and_shuffled_texts_do_not(pico_base: Path, tmp_path: Path) -> None:
    import random

    draw = random.Random(0)
    texts = [" ".join(str((start + step) % 10) for step in range(12)) for start in range(10)]
    texts = [f"{draw.randrange(1000)}: {text}" for text in texts * 30]
    mixed = ["".join(draw.sample(text, len(text))) for text in texts]
    right = prepared(pico_base, tmp_path / "right", [{"text": text} for text in texts], kind="text")
    shuffled = prepared(pico_base, tmp_path / "shuffled", [{"text": text} for text in mixed], kind="text")
    before = measured(pico_base, [], right)
    results = {}
    for name, data in (("right", right), ("shuffled", shuffled)):
        stage = trained(pico_base, data, tmp_path / f"{name}-stage", "cpt", learning_rate=2e-3, batch_size=4)
        results[name] = measured(pico_base, [stage], right)
    assert results["right"]["high"] < before["low"] / 2
    assert results["right"]["high"] < results["shuffled"]["low"]


def test_cpt_trains_an_adapter_too(pico_base: Path, tmp_path: Path) -> None:
    data = prepared(pico_base, tmp_path / "d", [{"text": f"{i} {i} {i} {i}"} for i in range(80)], kind="text")
    stage = trained(pico_base, data, tmp_path / "s", "cpt", adapter="lora", learning_rate=5e-3)
    assert stage.kind == "adapter"
    assert measured(pico_base, [stage], data)["value"] < measured(pico_base, [], data)["value"] / 2


def test_a_chain_of_full_and_adapter_stages_keeps_what_each_learned(pico_base: Path, tmp_path: Path) -> None:
    both = prepared(pico_base, tmp_path / "middle", rows("middle", 400) + rows("first", 200))
    first = prepared(pico_base, tmp_path / "first", rows("first", 440))
    one = trained(pico_base, first, tmp_path / "one", "lora")
    two = trained(pico_base, both, tmp_path / "two", "sft", [one], learning_rate=2e-3)
    three = trained(pico_base, first, tmp_path / "three", "dora", [one, two], epochs=2)
    assert [stage.kind for stage in (one, two, three)] == ["adapter", "model", "adapter"]
    assert measured(pico_base, [one, two], both)["value"] > 0.8
    assert measured(pico_base, [one, two, three], first)["value"] > 0.8
