"""The engine: answers are those of `generate` one by one, whoever shares the batch; places come and go."""

from __future__ import annotations

from itertools import count

import pytest
import torch

from manus.models.generation.engine import Engine
from manus.models.generation.joined import Joined, mask_of
from manus.models.generation.joining import may_join
from manus.models.generation.questions import Drawing, Question, Step, Unanswered
from manus.models.generation.sealed import Sealed
from tests.families import small_model
from tests.unit.models.generation.asking import generated, prompts, question

JOINED = [
    "llama", "qwen3", "gpt2", "gemma2", "gemma3_text", "mistral", "phi3", "gpt_oss", "deepseek_v3", "bloom",
    "mamba", "falcon_h1", "lfm2", "qwen3_next", "llama4_text",
]  # fmt: skip
SEALED = ["minimax", "recurrent_gemma", "rwkv", "glm_moe_dsa"]
SHARED = prompts(18, seed=3)[0]


@pytest.fixture
def llama() -> torch.nn.Module:
    return small_model("llama")


@pytest.mark.parametrize("family", [*JOINED, *SEALED])
def test_greedy_answers_are_those_of_generate_one_by_one(family: str) -> None:
    """Seven questions on three places: of several lengths, two alike, four beginning alike, ends apart."""
    model = small_model(family)
    asked = [*prompts(7, 12, 3), *(SHARED + more for more in prompts(7, 1, 3, seed=5))]
    asked.append(asked[-1])
    most = [4 + 3 * number for number in range(len(asked))]
    questions = [question(ids, limit) for ids, limit in zip(asked, most, strict=True)]
    assert may_join(model, questions[0]) is (family in JOINED)
    answers = Engine(model, places=3, pad_token_id=0).answers(questions)
    assert answers == [generated(model, ids, limit) for ids, limit in zip(asked, most, strict=True)]
    assert len({tuple(answer[:4]) for answer in answers}) > 2  # not one answer to everything


@pytest.mark.parametrize("window", [6, 24])
def test_windows_count_tokens_of_a_row_and_not_what_shares_its_batch(window: int) -> None:
    model = small_model("gemma3_text", sliding_window=window)
    asked = [*prompts(4, 15, 9), *(SHARED + more for more in prompts(2, 5, seed=5))]
    answers = Engine(model, places=2, pad_token_id=0).answers([question(ids, 20) for ids in asked])
    assert answers == [generated(model, ids, 20) for ids in asked]


def test_an_answer_ends_with_its_end_or_its_limit(llama: torch.nn.Module) -> None:
    ids = prompts(6)[0]
    whole = generated(llama, ids, 8)
    end = whole[3]
    engine = Engine(llama, pad_token_id=0)
    ticket = engine.add(question(ids, 8, ends=(end,)))
    steps = [step for _ in range(8) for step in engine.step()]
    first = whole.index(end)
    assert [step.token for step in steps] == whole[: first + 1]
    assert [step.finish for step in steps] == [None] * first + ["stop"]
    assert {step.ticket for step in steps} == {ticket} and engine.running == engine.waiting == 0
    engine.add(question(ids, 3))
    assert [step.finish for _ in range(3) for step in engine.step()] == [None, None, "length"]
    assert engine.step() == []


def test_every_running_answer_gets_one_token_a_step_and_places_are_filled_again(
    llama: torch.nn.Module,
) -> None:
    engine = Engine(llama, places=2, pad_token_id=0)
    first, second, third = (
        engine.add(question(ids, 2 + number)) for number, ids in enumerate(prompts(4, 5, 6))
    )
    assert (engine.running, engine.waiting) == (0, 3)
    seen = [{step.ticket for step in engine.step()} for _ in range(6)]
    assert seen == [{first, second}, {first, second}, {second, third}, {third}, {third}, {third}]


def test_a_cancelled_question_frees_its_place_before_the_next_step(llama: torch.nn.Module) -> None:
    engine = Engine(llama, places=1, pad_token_id=0)
    first, second, third = (engine.add(question(ids)) for ids in prompts(4, 5, 6))
    engine.step()
    engine.cancel(first)
    engine.cancel(third)
    engine.cancel(99)
    assert (engine.running, engine.waiting) == (0, 1)
    said = [step for _ in range(8) for step in engine.step()]
    assert {step.ticket for step in said} == {second} and said[-1].finish == "length"
    assert [step.token for step in said] == generated(llama, prompts(4, 5, 6)[1], 8)


def test_what_is_left_of_a_batch_goes_on_as_before(llama: torch.nn.Module) -> None:
    asked = prompts(4, 9, 6)
    engine = Engine(llama, pad_token_id=0)
    tickets = [engine.add(question(ids, 10)) for ids in asked]
    said: dict[int, list[int]] = {ticket: [] for ticket in tickets}
    for number in count():
        if number == 4:
            engine.cancel(tickets[1])  # the longest: columns that only it needed go
        steps = engine.step()
        if not steps:
            break
        for step in steps:
            said[step.ticket].append(step.token)
    assert [said[tickets[row]] for row in (0, 2)] == [generated(llama, asked[row], 10) for row in (0, 2)]


def test_drawn_answers_depend_on_seed_and_question_alone(llama: torch.nn.Module) -> None:
    asked = prompts(4, 9, 6, 6)
    drawings = [
        {"temperature": 1.0, "seed": 5},
        {"temperature": 0.7, "top_k": 20, "seed": 5},
        {"temperature": 2.0, "top_p": 0.9, "seed": 6},
        {"temperature": 1.0, "seed": 7},
    ]
    questions = [question(ids, 12, **drawing) for ids, drawing in zip(asked, drawings, strict=True)]
    together = Engine(llama, pad_token_id=0).answers(questions)
    alone = [Engine(llama, places=1, pad_token_id=0).answers([one])[0] for one in questions]
    crowded = Engine(llama, places=3, pad_token_id=0).answers([question(asked[0]), *questions[::-1]])[:0:-1]
    assert together == alone == crowded
    other = Engine(llama, pad_token_id=0).answers([question(asked[0], 12, temperature=1.0, seed=8)])
    assert other[0] != together[0]


def test_without_a_seed_the_random_state_decides(llama: torch.nn.Module) -> None:
    def drawn(seed: int) -> list[list[int]]:
        torch.manual_seed(seed)
        return Engine(llama, pad_token_id=0).answers(
            [question(ids, 12, temperature=1.0) for ids in prompts(4, 4)]
        )

    assert drawn(1) == drawn(1) != drawn(2)
    same = prompts(4)[0]
    first, second = Engine(llama, pad_token_id=0).answers([question(same, 12, temperature=1.0)] * 2)
    assert first != second  # a group of answers to one prompt


def test_one_that_fails_takes_none_with_it(llama: torch.nn.Module) -> None:
    """Tokens that the model has not, and a limit that raises, are failures of their questions alone."""
    good = prompts(4, 9)

    def fails(ids: list[int], logits: torch.Tensor) -> torch.Tensor:
        if len(ids) == 2:
            raise RuntimeError("no third token")
        return logits

    engine = Engine(llama, pad_token_id=0)
    drawing = Drawing(max_new_tokens=8, ends=())
    first, unknown, limited, last = (
        engine.add(one)
        for one in (
            question(good[0]),
            question([10**6] * 4),
            Question(good[0], drawing, limit=fails),
            question(good[1]),
        )
    )
    said: dict[int, list[int]] = {}
    failed: list[tuple[int, ...]] = []
    while engine.running or engine.waiting or not said:
        try:
            for step in engine.step():
                said.setdefault(step.ticket, []).append(step.token)
        except Unanswered as error:
            failed.append(error.tickets)
    assert failed == [(unknown,), (limited,)]
    assert len(said[limited]) == 2
    assert [said[first], said[last]] == [generated(llama, ids, 8) for ids in good]


def test_all_at_once_come_in_order_and_are_told_as_they_end(llama: torch.nn.Module) -> None:
    asked = prompts(4, 5, 6)
    told: list[tuple[int, list[int]]] = []
    engine = Engine(llama, places=2, pad_token_id=0)
    answers = engine.answers(
        [question(ids, most) for ids, most in zip(asked, (6, 2, 3), strict=True)],
        lambda number, ids: told.append((number, list(ids))),
    )
    assert told == [(1, answers[1]), (2, answers[2]), (0, answers[0])]
    with pytest.raises(Unanswered):
        engine.answers([question(asked[0]), question([10**6])])
    assert engine.running == engine.waiting == 0


def test_limits_change_what_is_said_and_log_probabilities_are_the_models(llama: torch.nn.Module) -> None:
    ids = prompts(6)[0]

    def only_even(answer: list[int], logits: torch.Tensor) -> torch.Tensor:
        logits[1::2] = float("-inf")
        return logits

    asked = Question(ids, Drawing(max_new_tokens=5, ends=()), limit=only_even, top_logprobs=3)
    engine = Engine(llama, pad_token_id=0)
    engine.add(asked)
    engine.add(question(ids, 5))
    steps: list[Step] = [step for _ in range(5) for step in engine.step()]
    limited, free = steps[::2], steps[1::2]
    assert all(step.token % 2 == 0 for step in limited)
    assert (
        [step.token for step in free] == generated(llama, ids, 5)
        and free[0].logprob is None
        and free[0].top == ()
    )
    said: list[int] = []
    for step in limited:
        with torch.no_grad():
            expected = llama(torch.tensor([ids + said])).logits[0, -1].log_softmax(-1)
        assert step.logprob == pytest.approx(float(expected[step.token]), abs=1e-4)
        assert [token for token, _ in step.top] == expected.topk(3).indices.tolist()
        said.append(step.token)


def test_a_sealed_batch_hides_rows_that_are_over(llama: torch.nn.Module) -> None:
    asked = prompts(6, 6, 6)
    batch = Sealed(llama, asked, {})
    with torch.no_grad():
        tokens = batch.begin().argmax(-1).tolist()
        batch.keep([0, 2])
        after = batch.forward([tokens[0], tokens[2]]).argmax(-1).tolist()
    expected = [generated(llama, ids, 2) for ids in asked]
    assert tokens == [first for first, _ in expected]
    assert after == [expected[row][1] for row in (0, 2)]


def test_rows_drop_padding_that_all_have(llama: torch.nn.Module) -> None:
    from manus.models.generation.reading import Reader

    ((_, rows, _),) = Reader(llama, 0).read([tuple(ids) for ids in prompts(8, 5, 4)])
    assert isinstance(rows, Joined) and (rows.columns, rows.padding) == (8, [0, 3, 4])
    rows.keep([2, 1])
    assert (rows.columns, rows.padding) == (5, [1, 0])
    assert mask_of(rows.padding, 5, "cpu").tolist() == [[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]]
