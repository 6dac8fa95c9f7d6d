"""Every method makes a held-out metric better than before, and not when the labels are shuffled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from manus.capabilities import known_capabilities
from manus.evaluation.probes import gain
from manus.methods import known_methods
from tests.integration.stage import LEAST_GAIN, assert_learned, measured, prepared, rows, trained
from tests.seeds import SEED

instruct = known_capabilities()["instruct"]

METHODS = known_methods()
ON_CHATS = [
    name
    for name, method in METHODS.items()
    if method.SAMPLE_KINDS[0] == "messages"
    and not method.NEEDS_SENSES
    and "teacher" not in method.Settings.model_fields
]
RATES = {"sft": 2e-3}


STEPS = {"epochs": 5}


@pytest.fixture(scope="module")
def base(undecided_base: Path) -> Path:
    """A model that answers with any of three digits: who does not know the task is right in a third."""
    return undecided_base


@pytest.fixture(scope="module")
def data(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """`first` with right and with shuffled labels; the held-out side always has right ones."""
    folder = tmp_path_factory.mktemp("data")
    right = prepared(base, folder / "right", rows("first", 440))
    shuffled = prepared(base, folder / "shuffled", rows("first", 440, shuffled=True))
    return {"right": right, "shuffled": shuffled}


@pytest.fixture(scope="module")
def before(base: Path, data: dict[str, Path]) -> dict[str, Any]:
    """What the base knows of `first`."""
    return measured(base, [], data["right"])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_shown_to_learn(method: str) -> None:
    """Those that imitate chats are found here; others have a test of their own, by name."""
    tests = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*learn*.py")]
    tests.append((Path(__file__).parent / "test_alignment.py").read_text(encoding="utf-8"))
    assert method in ON_CHATS or any(f'"{method}"' in text for text in tests)


@pytest.mark.learns
def test_the_base_knows_last_and_not_first(base: Path, before: dict[str, Any], tmp_path: Path) -> None:
    known = prepared(base, tmp_path / "last", rows("last", 60, seed=SEED + 5), held_out=40)
    assert measured(base, [], known)["value"] > 0.8  # the base is trained until it knows 97 %
    assert before["value"] < 0.6  # chance is one in three, give or take 0.075


@pytest.mark.learns
@pytest.mark.parametrize("method", ON_CHATS)
def test_a_method_learns_and_shuffled_labels_do_not(
    base: Path, data: dict[str, Path], before: dict[str, Any], tmp_path: Path, method: str
) -> None:
    rate = RATES.get(method, 5e-3)
    stage, ablated = (
        trained(base, data[labels], tmp_path / labels, method, learning_rate=rate, **STEPS)
        for labels in ("right", "shuffled")
    )
    assert_learned(before, measured(base, [ablated], data["right"]), measured(base, [stage], data["right"]))


@pytest.mark.learns
def test_instruct_lowers_the_nats_of_held_out_answers_and_shuffled_answers_do_not(
    undecided_base: Path, data: dict[str, Path], tmp_path: Path
) -> None:
    """The base knows how answers look and that they are one of three digits: only which is left to learn."""
    before = measured(undecided_base, [], data["right"], instruct)
    after = {}
    for name in ("right", "shuffled"):
        stage = trained(undecided_base, data[name], tmp_path / name, "lora")
        after[name] = measured(undecided_base, [stage], data["right"], instruct)
    assert after["right"]["high"] < before["low"] / 4
    assert gain(before, after["right"])["low"] > 0
    assert after["shuffled"]["value"] > before["value"], "what is learned are the answers to these questions"
    assert after["right"]["said"][0]["text"].startswith("The answer is")


@pytest.mark.learns
def test_cpt_lowers_held_out_perplexity_and_shuffled_texts_do_not(pico_base: Path, tmp_path: Path) -> None:
    import random

    draw = random.Random(SEED)
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


@pytest.mark.learns
def test_cpt_trains_an_adapter_too(pico_base: Path, tmp_path: Path) -> None:
    data = prepared(pico_base, tmp_path / "d", [{"text": f"{i} {i} {i} {i}"} for i in range(80)], kind="text")
    stage = trained(pico_base, data, tmp_path / "s", "cpt", adapter="lora", learning_rate=5e-3)
    assert stage.kind == "adapter"
    assert measured(pico_base, [stage], data)["value"] < measured(pico_base, [], data)["value"] / 2


@pytest.mark.learns
def test_a_chain_of_full_and_adapter_stages_keeps_what_each_learned(base: Path, tmp_path: Path) -> None:
    both = prepared(base, tmp_path / "middle", rows("middle", 400) + rows("first", 200))
    first = prepared(base, tmp_path / "first", rows("first", 440))
    one = trained(base, first, tmp_path / "one", "lora", **STEPS)
    two = trained(base, both, tmp_path / "two", "sft", [one], learning_rate=2e-3)
    three = trained(base, first, tmp_path / "three", "dora", [one, two], epochs=2)
    assert [stage.kind for stage in (one, two, three)] == ["adapter", "model", "adapter"]
    for data, chain in ((both, [one, two]), (first, [one, two, three])):
        assert gain(measured(base, [], data), measured(base, chain, data))["low"] > LEAST_GAIN
