"""What ranks agree on: two processes that talk to each other as those of torchrun do."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manus.errors import DataError, ManusError, RewardError
from manus.guards import ranks

PATIENCE_SECONDS = 60
Told = tuple[str, str]  # the kind of error that ended a rank, and what it says


def each_of_two(do: Callable[[], Any], folder: Path) -> list[Any]:
    """Return what two ranks return, or how they end; who waits for one that is gone gets a TimeoutError."""
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [context.Process(target=_rank, args=(number, do, folder, results)) for number in range(2)]
    for process in processes:
        process.start()
    told = dict(results.get(timeout=PATIENCE_SECONDS) for _ in processes)
    for process in processes:
        process.join()
    return [told[0], told[1]]


def _rank(number: int, do: Callable[[], Any], folder: Path, results: Any) -> None:
    import datetime

    import torch.distributed as dist

    os.environ.update(WORLD_SIZE="2", RANK=str(number))
    meeting = f"file://{folder / 'meeting'}"
    dist.init_process_group(
        "gloo", init_method=meeting, rank=number, world_size=2, timeout=datetime.timedelta(seconds=5)
    )
    try:
        told = do()
    except Exception as error:
        told = (type(error).__name__, str(error))
    results.put((number, told))
    results.close()
    results.join_thread()
    os._exit(0)


def failing_on(rank: int, error: Exception) -> Callable[[], str]:
    """Return work of all ranks in which one fails before they meet in a collective."""

    def work() -> str:
        with ranks.failing_together():
            if ranks.rank() == rank:
                raise error
        return str(ranks.summed([1]))

    return work


def test_one_rank_is_alone(tmp_path: Path) -> None:
    assert (ranks.summed([3]), ranks.gathered("a")) == ([3], ["a"])
    with pytest.raises(DataError, match="bad") as raised, ranks.failing_together():
        raise DataError("bad")
    assert raised.value.__cause__ is None


def test_what_all_say_is_known_to_each(tmp_path: Path) -> None:
    def work() -> Any:
        with ranks.failing_together():
            pass
        return ranks.summed([1, ranks.rank()]), ranks.gathered({"rank": ranks.rank()})

    assert each_of_two(work, tmp_path) == [([2, 1], [{"rank": 0}, {"rank": 1}])] * 2


@pytest.mark.parametrize("rank", [0, 1])
def test_an_error_of_one_rank_ends_both(rank: int, tmp_path: Path) -> None:
    told = each_of_two(failing_on(rank, RewardError("too many fail")), tmp_path)
    assert told == [("RewardError", "too many fail")] * 2


def test_an_unexpected_error_stays_what_it_is_where_it_happened(tmp_path: Path) -> None:
    told = each_of_two(failing_on(1, RuntimeError("DataLoader worker died")), tmp_path)
    assert told == [
        (ManusError.__name__, "rank 1: RuntimeError: DataLoader worker died"),
        ("RuntimeError", "DataLoader worker died"),
    ]


def test_rewards_that_fail_on_one_rank_end_both(tmp_path: Path) -> None:
    from manus.training.rollouts.rollouts import Ledger, Transcript

    class Judge:
        def score(self, samples: Any, completions: Any) -> Any:
            if ranks.rank() == 1:
                raise RewardError("python fails too often")

    def work() -> Any:
        Ledger(Judge(), Transcript(1)).scores(1, [], [])  # type: ignore[arg-type]
        return ranks.summed([1])

    assert each_of_two(work, tmp_path) == [("RewardError", "python fails too often")] * 2


def test_a_rank_that_gets_no_batch_ends_both(tmp_path: Path) -> None:
    from manus.training.loop import Agreed

    def batches() -> Any:
        yield {"step": 1}
        if ranks.rank() == 1:
            raise DataError("data x.jsonl: the file was changed")
        yield {"step": 2}

    def work() -> Any:
        return [batch and ranks.summed([1]) for batch in Agreed(batches())]

    assert each_of_two(work, tmp_path) == [("DataError", "data x.jsonl: the file was changed")] * 2


def test_batches_end_for_all(tmp_path: Path) -> None:
    from manus.training.loop import Agreed

    assert (
        each_of_two(lambda: list(Agreed(iter([{"step": 1}, {"step": 2}]))), tmp_path)
        == [[{"step": 1}, {"step": 2}]] * 2
    )


@pytest.mark.parametrize(
    ("bad", "told"),
    [((0, 1), None), ((0, 3), "4 of 14 rows cannot be used"), ((2, 0), "3 of 14 rows cannot be used")],
)
def test_live_rows_are_too_bad_for_all_ranks_at_once(
    bad: tuple[int, int], told: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at before the start, one bad row of four, counts once; each rank reads five rows."""
    import json
    from types import SimpleNamespace

    from manus.data.preparation.quarantine import Quarantine
    from manus.training.batches.live import ROWS
    from manus.training.loop import StageTrainer
    from manus.training.trainers.live import LiveTrainer

    def bad_row(line: int) -> dict[str, Any]:
        return {"place": f"x.jsonl line {line}", "reason": "empty", "row": {}}

    monkeypatch.setattr(StageTrainer, "__init__", lambda self: None)
    monkeypatch.setattr(StageTrainer, "compute_loss", lambda self, model, inputs: ranks.summed([1])[0])

    def work() -> Any:
        trainer = LiveTrainer(
            budget=0.2, staging=tmp_path, looked_at=Quarantine.of([bad_row(0)], 4), unread=set()
        )
        trainer.args = SimpleNamespace(output_dir=str(tmp_path))
        lines = range(1 + 10 * ranks.rank(), 1 + 10 * ranks.rank() + bad[ranks.rank()])
        mine = json.dumps({"seen": 5, "bad": [json.dumps(bad_row(line)) for line in lines], "unread": []})
        loss = trainer.compute_loss(None, {ROWS: mine})
        return loss, len(trainer._of_all_ranks().rows)

    found = each_of_two(work, tmp_path)
    if told is None:
        assert found == [(2, 1 + sum(bad))] * 2
        return
    assert [kind for kind, _ in found] == ["DataError"] * 2
    assert all(text.startswith(f"{told}, more than failure_budget 20% allows") for _, text in found)
    assert len((tmp_path / "quarantine.jsonl").read_text().splitlines()) == 1 + sum(bad)
