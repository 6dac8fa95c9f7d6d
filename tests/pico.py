"""A pico chat model that tests build in seconds: it answers "last of 3 8 5" with "The answer is \\boxed{5}.".

Stages then teach it other positions (`first`, `middle`), which it cannot do before and can do for held-out
triples after, and never when the labels are shuffled.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from tests.seeds import SEED

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLACES = {"first": 0, "middle": 1, "last": 2}
MORE_STEPS, TRIES = 400, 8
TRIPLES = [(a, b, c) for a in range(10) for b in range(10) for c in range(10)]


def conversation(place: str, triple: tuple[int, ...], answer: int | None = None) -> dict[str, object]:
    """Return one row of chat data; `answer` replaces the right one."""
    right = triple[PLACES[place]] if answer is None else answer
    return {
        "messages": [
            {"role": "user", "content": f"{place} of {' '.join(map(str, triple))}"},
            {"role": "assistant", "content": f"The answer is \\boxed{{{right}}}."},
        ]
    }


def rows(place: str, count: int, seed: int = SEED, shuffled: bool = False) -> list[dict[str, object]]:
    """Return distinct rows of a place; `shuffled` gives each the answer of another."""
    draw = random.Random(f"{seed}:{place}")
    triples = draw.sample(TRIPLES, count)
    answers = [triple[PLACES[place]] for triple in triples]
    if shuffled:
        draw.shuffle(answers)
    return [conversation(place, triple, answer) for triple, answer in zip(triples, answers, strict=True)]


def write_rows(path: Path, data: list[dict[str, object]]) -> Path:
    """Write rows as JSONL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")
    return path


def tokenizer() -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer with a ChatML template."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    words = ["The answer is \\boxed{", "user\n", "assistant\n", *(f"{place} of " for place in PLACES)]
    raw.train_from_iterator(words * 50, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )


def undecided(place: str, count: int, seed: int = SEED) -> list[dict[str, object]]:
    """Return rows of a place whose answer is any of the three digits: who learns them answers at random."""
    draw = random.Random(f"{seed}:undecided:{place}")
    triples = draw.choices(TRIPLES, k=count)
    return [conversation(place, triple, draw.choice(triple)) for triple in triples]


def pairs(place: str, count: int, seed: int = SEED, shuffled: bool = False) -> list[dict[str, object]]:
    """Return rows with the right digit as the better answer and another one of the three as the worse.

    `shuffled` makes the worse one the better one in every second pair.
    """
    draw = random.Random(f"{seed}:pairs:{place}")
    found: list[dict[str, object]] = []
    for triple in draw.sample([t for t in TRIPLES if len(set(t)) > 1], count):
        right = triple[PLACES[place]]
        wrong = draw.choice([digit for digit in triple if digit != right])
        better, worse = (wrong, right) if shuffled and draw.random() < 0.5 else (right, wrong)
        (asked, chosen), (_, rejected) = (
            conversation(place, triple, digit)["messages"] for digit in (better, worse)
        )  # type: ignore[misc]
        found.append({"prompt": [asked], "chosen": [chosen], "rejected": [rejected], "answer": str(right)})
    return found


def pretrained(folder: Path, steps: int = 250, data: list[dict[str, object]] | None = None) -> Path:
    """Train the pico model on `last`, or other data, and save it with its tokenizer; return the folder.

    `steps` are the fewest. It trains until it knows `last`: when it begins to is chance, by seed and by
    processor. First weights from which it does not within MORE_STEPS are left, and others tried, which the
    seed says.
    """
    words = tokenizer()
    ids = _tokens(words, data or rows("last", 700))
    tries = (_trained(words, ids, steps, SEED + 1000 * number) for number in range(TRIES))
    model = next((model for model in tries if model is not None), None)
    assert model is not None, (
        f"the pico model does not learn `last` from seed {SEED}, from {TRIES} first weights"
    )
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def _trained(
    words: PreTrainedTokenizerFast, ids: torch.Tensor, steps: int, seed: int
) -> LlamaForCausalLM | None:
    """Return a model that was trained at least some steps until it knows `last`; None where it does not."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(words),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=256,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=words.eos_token_id,
            pad_token_id=words.pad_token_id,
        )
    )
    labels = ids.clone()
    labels[:, : ids.shape[1] - 12] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    draw = random.Random(seed)
    for done in range(steps + MORE_STEPS if steps else 0):
        if done >= steps and done % 50 == 0 and _known(model, words) >= 0.97:
            return model
        batch = draw.sample(range(len(ids)), 32)
        model(input_ids=ids[batch], labels=labels[batch]).loss.backward()
        # Else it forgets all that it knew now and then, and from some seeds answers `first` with any of ten digits.
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return None if steps else model


def _tokens(words: PreTrainedTokenizerFast, data: list[dict[str, object]]) -> torch.Tensor:
    texts = [words.apply_chat_template(row["messages"], tokenize=False) for row in data]
    return torch.tensor(words(texts, padding=True, padding_side="left")["input_ids"])


def _known(model: LlamaForCausalLM, words: PreTrainedTokenizerFast) -> float:
    """Return for which share of all triples the model says the whole answer to `last`, with its end."""
    conversations = [conversation("last", triple) for triple in TRIPLES]
    ids = _tokens(words, conversations)
    asked = words.apply_chat_template(
        conversations[0]["messages"][:-1], tokenize=False, add_generation_prompt=True
    )
    whole = words.apply_chat_template(conversations[0]["messages"], tokenize=False)
    answer = len(words(whole)["input_ids"]) - len(words(asked)["input_ids"])
    with torch.no_grad():
        said = model(input_ids=ids).logits[:, -answer - 1 : -1].argmax(-1)
    return float((said == ids[:, -answer:]).all(1).float().mean())


def untrained(folder: Path, positions: int = 4096, seed: int = 0) -> Path:
    """Save a pico model that knows nothing and reads long texts, with its tokenizer; return the folder."""
    words = tokenizer()
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=words.eos_token_id,
        pad_token_id=words.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
