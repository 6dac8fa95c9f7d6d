"""How tests wait for a running process: as long as it works or shows something new, and not by a clock."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.e2e import product
from tests.e2e.product import Run, start


def python(folder: Path, program: str) -> Run:
    return start([sys.executable, "-S", "-c", program], folder)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product, "IDLE_SECONDS", 4)
    monkeypatch.setattr(product, "LEAST_WORK_SECONDS", 0.1)
    monkeypatch.setattr(product, "PROCESSOR_SECONDS", 0.5)
    monkeypatch.setattr(product, "AFTER_ITS_END_SECONDS", 0.2)


def test_what_prints_or_steps_is_waited_for_longer_than_any_limit(tmp_path: Path) -> None:
    program = "import time\nfor n in range(6): print(n, flush=True); time.sleep(1)"
    run = python(tmp_path, program)
    assert run.wait() == 0 and run.output.split() == ["0", "1", "2", "3", "4", "5"]


def test_a_new_step_in_its_status_is_a_sign_and_a_new_time_is_none(tmp_path: Path) -> None:
    work = tmp_path / "results" / ".store" / "key" / "work"
    work.mkdir(parents=True)
    status = work / "status.json"
    write = (
        "import json, os, time\n"
        "for n in range(6):\n"
        " open({path!r} + '.new', 'w').write(json.dumps({told}))\n"
        " os.replace({path!r} + '.new', {path!r}); time.sleep(1)"
    )
    status.write_text(json.dumps({"state": "training", "step": 0}))
    steps = write.format(path=str(status), told="{'state': 'training', 'step': n}")
    assert python(tmp_path, steps).wait() == 0
    times = write.format(path=str(status), told="{'state': 'paused', 'step': 1, 'updated_at': n}")
    run = python(tmp_path, times)
    with pytest.raises(AssertionError, match=r"nothing moved for 4 s, waited in vain for its end"):
        run.wait()
    run.process.kill()


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import time; time.sleep(60)", "nothing moved for 4 s"),
        ("while True: pass", "0.5 s of work showed nothing"),
        ("print('done')", "it ended with 0, waited in vain for a sign; the last output:\ndone"),
    ],
)
def test_what_stands_still_or_turns_in_circles_or_ends_is_not_waited_for(
    tmp_path: Path, program: str, words: str
) -> None:
    run = python(tmp_path, program)
    with pytest.raises(AssertionError) as caught:
        run.until(lambda: False, "a sign")
    run.process.kill()
    assert words in str(caught.value)


def test_what_a_test_leaves_behind_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(600)', 'left'], "
        "process_group=0)\n"
        "print('started', flush=True)"
    )
    run = python(tmp_path, program)
    assert run.wait() == 0
    (left,) = product.kill_what_is_left()
    assert left[-1] == "left"
    assert product.kill_what_is_left() == []
