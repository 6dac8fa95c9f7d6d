"""Reads what rows and turns say of themselves: whether they are learned, and whether they are good.

| flag | of | means | written by |
|---|---|---|---|
| `train`, `training` | turns | learned or not | axolotl |
| `train_detail`, `training_detail` | turns | which characters are | axolotl |
| `weight`: 0 or 1 | turns | the same | OpenAI |
| `loss`, `loss_scale`, `loss_weight` | turns | the same | ms-swift |
| `mask`, `masked` | turns | not learned | torchtune |
| `loss_mask`, `learn`, `ignore_loss`, ... | turns | as the others of their kind | |
| all of them, `train_on_inputs`, `sample_weight` | rows | the same of all turns; `mask: User` is NeMo's | |
| `label`, `kto_tag`, `correct`, ... | rows | a good or a bad answer | TRL, LLaMA-Factory |
| `type`, `side`, ... | rows | a bad answer, where it is "rejected" | |
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from manus.data.forms.columns import Columns
from manus.data.forms.literals import shortened
from manus.data.sample import Learned, Message, NotLearned, RowError, Sample

Default = Literal["all_turns", "last_turn"]

_SWITCHES = (
    "train",
    "training",
    "trainable",
    "trained",
    "is_trained",
    "do_train",
    "should_train",
    "train_on_turn",
    "learn",
    "learned",
    "loss",
    "compute_loss",
)
_WEIGHTS = ("weight", "loss_scale", "loss_weight", "loss_mask")
_MASKS = ("mask", "masked", "is_masked", "ignore", "ignore_loss", "no_loss", "no_train")
DETAILS = ("train_detail", "training_detail")
OF_TURNS = frozenset([*_SWITCHES, *_WEIGHTS, *_MASKS, *DETAILS])
_ON_INPUTS = ("train_on_inputs", "train_on_input", "train_on_prompt")

_GOOD = (
    "label", "kto_tag", "kto_label", "correct", "is_correct", "correctness", "is_good", "good", "desirable", "is_desirable", "accepted",
    "is_accepted", "passed", "is_valid", "thumbs_up",
)  # fmt: skip
_BAD = ("bad", "is_bad", "incorrect", "is_incorrect", "wrong", "is_wrong", "undesirable")
# The same, where they are true or false; as numbers and words they say other things.
_GOOD_IF_TRUE = (
    "valid", "is_right", "verified", "is_verified", "success", "is_success", "successful", "resolved", "approved", "is_approved",
    "preferred", "is_preferred", "is_chosen", "safe", "is_safe",
)  # fmt: skip
_BAD_IF_TRUE = (
    "rejected",
    "is_rejected",
    "thumbs_down",
    "failed",
    "unsafe",
    "is_unsafe",
    "harmful",
    "is_harmful",
    "toxic",
    "is_toxic",
)
_SAID_TO_BE_BAD = (*_BAD, *_BAD_IF_TRUE)
# What people thought of an answer; as numbers from 0 on and as other words it is a grade, of which nobody
# knows the scale.
_OPINIONS = ("rating", "feedback", "vote", "votes", "thumb", "thumbs", "reaction", "user_feedback", "quality", "status", "review", "verdict", "judgement", "judgment")  # fmt: skip
_DISLIKES = frozenset(
    [
        "bad", "negative", "down", "downvote", "downvoted", "thumbs_down", "thumbs down", "thumbsdown", "thumbdown", "dislike",
        "disliked", "👎", "-1", "wrong", "incorrect", "rejected", "reject", "false", "undesirable",
    ]
)  # fmt: skip
# Which side of a pair a row was, where it says so in one of these words; as others they are kinds of rows.
_SIDES = ("type", "side", "preference")
_REJECTED = frozenset(["rejected", "reject", "dispreferred", "undesirable"])
_LABELS = (*_GOOD, *_GOOD_IF_TRUE, *_SAID_TO_BE_BAD, *_OPINIONS)
_TRUTHS = {"true": True, "false": False}
_KINDS = (
    "label",
    "correct",
)  # which may also say which of several choices is right, or to which class a text belongs
_WORDS = {
    "true": True, "yes": True, "1": True, "good": True, "correct": True, "desirable": True, "chosen": True, "accepted": True,
    "false": False, "no": False, "0": False, "bad": False, "incorrect": False, "wrong": False, "undesirable": False,
    "rejected": False, "desired": True, "preferred": True, "liked": True, "undesired": False, "dispreferred": False,
    "unwanted": False, "disliked": False,
}  # fmt: skip
_WRITTEN = re.compile(r"-?\d+(?:\.\d+)?")
_NOT_ASKED = ("user", "human", "prompt")


def learned_of(turn: Mapping[str, Any]) -> Learned | None:
    """Return what a turn says of itself: whether it is learned, or which of its characters; None where it says nothing.

    Raises:
        ValueError: its flags contradict each other, or ask for a share.
    """
    said: dict[str, bool] = {}
    for name in (*_SWITCHES, *_WEIGHTS, *_MASKS):
        if (value := turn.get(name)) is not None:
            said[name] = _flag(name, value) is not (name in _MASKS)
    detail = next((name for name in DETAILS if turn.get(name) is not None), None)
    if len(set(said.values())) > 1:
        raise ValueError(f"its flags contradict each other: {', '.join(said)}")
    is_learned = next(iter(said.values()), None)
    if detail is None or is_learned is False:
        return is_learned
    return _ranges(detail, turn[detail])


def asks_to_be_learned(turn: Mapping[str, Any]) -> str | None:
    """Return the flag by which a turn that is not the assistant's asks to be learned; weights of 1 do not."""
    name = next((name for name in _SWITCHES if turn.get(name) is not None and _flag(name, turn[name])), None)
    detail = next(
        (name for name in DETAILS if turn.get(name) is not None and _ranges(name, turn[name])), None
    )
    return name or detail


def _number(value: Any) -> Any:
    """Return a number that stands as a text, as CSV files have it; any other value as it is."""
    if isinstance(value, str) and _WRITTEN.fullmatch(value.strip()):
        return float(value)
    return value


def _flag(name: str, value: Any) -> bool:
    if isinstance(value, str) and value.strip().lower() in _WORDS:
        return _WORDS[value.strip().lower()]
    if isinstance(_number(value), bool | int | float) and _number(value) in (0, 1):
        return bool(_number(value))
    raise ValueError(
        f"{name!r} is {shortened(value)}: a turn is learned (1) or not (0), shares and names are not known; "
        "write one of the two"
    )


def _ranges(name: str, value: Any) -> list[tuple[int, int]]:
    """Return which characters are learned, as first and behind the last; axolotl's ends are part of the range."""
    ranges = []
    for one in value if isinstance(value, list | tuple) else [value]:
        begin, end = (
            (one.get(key) for key in ("begin_offset", "end_offset"))
            if isinstance(one, Mapping)
            else (None, None)
        )
        if not (isinstance(begin, int) and isinstance(end, int) and 0 <= begin <= end):
            raise ValueError(f"{name!r} is a list of begin_offset, end_offset, train; not {shortened(one)}")
        if _flag(name, one.get("train", False)):
            ranges.append((begin, end + 1))
    return sorted(ranges)


def check_row(row: Columns, has_choices: bool = False) -> None:
    """Refuse a row that is labelled as bad, or that says that it is not to be learned.

    Args:
        row: the row.
        has_choices: whether `label` and `correct` say which of several choices is right.

    Raises:
        NotLearned: it says so of itself.
        RowError: it is labelled as bad, or asks for what cannot be done.
    """
    for name in (*_LABELS, *_SIDES):
        says_which = has_choices and name in _KINDS and not isinstance(row.get(name), bool)
        if not says_which and (is_good := _goodness(row, name)) is not None:
            row.take(name)
            if not is_good:
                _refuse_bad(name, row[name])
    for name in (*_SWITCHES, *_WEIGHTS, "sample_weight", *_MASKS):
        if (is_learned := _row_flag(row, name)) is not None:
            row.take(name)
            if not is_learned:
                raise NotLearned(f"{name}: {shortened(row[name])} says that the row is not to be learned")
    for name in _ON_INPUTS:
        if (value := row.get(name)) is not None:
            row.take(name)
            if _flag(name, value):
                raise RowError(
                    f"{name!r} asks for learning what is asked, which only cpt does; leave the column out"
                )


def refuse_bad_turn(turn: Mapping[str, Any]) -> None:
    """Refuse a turn that says of itself that it is a bad answer.

    Raises:
        ValueError: it does.
    """
    for name in _LABELS:
        if _goodness(turn, name) is False:
            raise ValueError(
                f"{name}: {shortened(turn[name])} labels it as a bad answer, which is not imitated; train: false keeps it "
                "unlearned"
            )


def without_labels(turn: Any) -> Any:
    """Return a turn without what it says of being good or bad, as where that is what is learned of it."""
    if not isinstance(turn, Mapping):
        return turn
    return {name: value for name, value in turn.items() if name not in _LABELS}


def _goodness(row: Mapping[str, Any], name: str) -> bool | None:
    """Return whether a label says good or bad; None where it is another sort of label, or none."""
    value = row.get(name)
    if name in _SIDES:
        return False if isinstance(value, str) and value.strip().lower() in _REJECTED else None
    if name in _OPINIONS:
        is_disliked = (
            value is False or value == -1 or (isinstance(value, str) and value.strip().lower() in _DISLIKES)
        )
        return False if is_disliked else None
    if isinstance(value, bool):
        return value is not (name in _SAID_TO_BE_BAD)
    if name not in _GOOD + _BAD:
        known = _TRUTHS.get(value.strip().lower()) if isinstance(value, str) else None
        return None if known is None else known is not (name in _SAID_TO_BE_BAD)
    if isinstance(value, str):
        known = _WORDS.get(value.strip().lower())
        is_class = name == "label" and value.strip().lower() in ("yes", "no", "1")
        return None if known is None or is_class else known is not (name in _BAD)
    if isinstance(value, int | float) and value in (0, 1) and not (name == "label" and value == 1):
        return bool(value) is not (name in _BAD)
    # A label of -1 is the bad one of two, or says that people agreed on none: neither is imitated.
    return False if value == -1 and name in _GOOD else None


def _refuse_bad(name: str, value: Any) -> None:
    is_plain = isinstance(value, bool) and name in _GOOD
    doubt = "" if is_plain else f"; ignore: [{name}] if that says something else"
    raise RowError(
        f"the answer is labelled as bad ({name}: {shortened(value)}) and is not imitated: dpo and orpo learn from it as "
        f"`rejected` beside a `chosen` answer (kto, which takes single labels, is not built); leave such rows out{doubt}"
    )


def _row_flag(row: Columns, name: str) -> bool | None:
    value = row.get(name)
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in ("true", "false")):
        return _flag(name, value) is not (name in _MASKS)
    value = _number(value)
    if name in (*_WEIGHTS, "sample_weight") and isinstance(value, int | float):
        if value not in (0, 1):
            raise RowError(
                f"{name!r} of the row is {value:g}: a row is learned (1) or not (0); give its source a weight, or say "
                f"ignore: [{name}] if that is no weight of the loss"
            )
        return bool(value)
    if name == "mask" and isinstance(value, str) and value.strip():
        if value.strip().lower() not in _NOT_ASKED:
            raise RowError(
                f"'mask' is {shortened(value)}: only the turns of User can be masked, which they are anyway"
            )
        return True
    return None


def without_unlearned_end(messages: Sequence[Message]) -> list[Message]:
    """Return a conversation up to the last turn that is learned: what follows it changes nothing.

    Raises:
        NotLearned: no turn is.
    """
    last = max(
        (n for n, m in enumerate(messages, 1) if m["role"] == "assistant" and m.get("learn") is not False),
        default=0,
    )
    if not last:
        raise NotLearned("no turn of it is to be learned, by the flags of its turns")
    return list(messages[:last])


def with_default(sample: Sample, default: Default) -> Sample:
    """Return a sample in which only turns that are not learned, or in part, are marked; `default` decides of those without a flag."""
    messages = sample.get("messages", [])
    if default == "all_turns" and not any("learn" in message for message in messages):
        return sample
    last = len(messages) - 1

    def resolved(place: int, message: Message) -> Message:
        is_passed_over = default == "last_turn" and message["role"] == "assistant" and place < last
        learn = message.get("learn", not is_passed_over)
        bare: Message = {"role": message["role"], "content": message["content"]}
        return bare if learn is True else {**bare, "learn": learn}

    return cast(Sample, {**sample, "messages": [resolved(*one) for one in enumerate(messages)]})


def without_flags(sample: Sample) -> Sample:
    """Return a sample without marks, for methods that learn the last turn alone, or none."""
    if not any("learn" in message for message in sample.get("messages", ())):
        return sample
    messages = [{"role": message["role"], "content": message["content"]} for message in sample["messages"]]
    return cast(Sample, {**sample, "messages": messages})
