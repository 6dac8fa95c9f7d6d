"""Does tasks in its own processes, side by side, within the run's safe points. Knows nothing of the tasks."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from manus.errors import ManusError
from manus.guards.checkpoint import is_disk_full
from manus.guards.requests import die_with
from manus.guards.run import RUN, Work

LOOK_EVERY_SECONDS = 0.1
REPORT_EVERY_SECONDS = 0.5

T = TypeVar("T")
R = TypeVar("R")
Report = Callable[[int], None]  # called by a task with how far it is


def processors() -> int:
    """Return how many processors this process may use: what the scheduler allows, at most OMP_NUM_THREADS.

    Snakemake's jobs get that variable from their rule's `threads`.
    """
    allowed, given = len(os.sched_getaffinity(0)), os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, max(1, int(given))) if given.isdigit() else allowed


def side_by_side(
    tasks: Iterable[T], work: Callable[[T, Report], R], count: int, doing: str, note: Callable[[T, int], None]
) -> Iterator[tuple[T, R]]:
    """Yield tasks with their results, in the order in which they end.

    The processes are forked, so `work` may hold anything; only tasks and results are sent. While the run is
    paused they stand still; when it ends, for whatever reason, so do they.

    Args:
        tasks: taken one by one.
        work: does a task; it is given a function to call now and then.
        count: of processes; 1 does the tasks here.
        doing: what is going on, for messages.
        note: called with a task and how far it is.

    Raises:
        Interrupted: a signal came; results that were not yielded are lost.
        ManusError: what a task raised, or a process died.
    """
    if count <= 1:
        for task in tasks:

            def report(done: int, task: T = task) -> None:
                RUN.cross(doing)
                note(task, done)

            with _full_disk_said(doing):
                result = work(task, report)
            yield task, result
        return
    with _Crew(work, count, doing) as crew:
        yield from crew.do(iter(tasks), note)


@contextlib.contextmanager
def _full_disk_said(doing: str) -> Iterator[None]:
    """Say that the disk is full as a message for users."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise ManusError(f"the disk is full while {doing}; free some, the next run continues") from error


class _Crew:
    """Processes, each of which waits at a pipe for its next task."""

    def __init__(self, work: Callable[[Any, Report], Any], count: int, doing: str) -> None:
        self.work, self.count, self.doing = work, count, doing
        self.members: dict[Connection, BaseProcess] = {}
        self.tasks: dict[Connection, Any] = {}

    def __enter__(self) -> _Crew:
        context = multiprocessing.get_context("fork")
        for _ in range(self.count):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, self.work, os.getpid(), self.doing), daemon=True
            )
            process.start()
            theirs.close()
            self.members[ours] = process
        return self

    def __exit__(self, *error: object) -> None:
        for pipe, process in self.members.items():
            process.kill()
            process.join()
            pipe.close()

    def do(self, tasks: Iterator[Any], note: Callable[[Any, int], None]) -> Iterator[tuple[Any, Any]]:
        for pipe in self.members:
            self._give(pipe, tasks)
        while self.tasks:
            RUN.cross(self.doing, work=Work(park=self._stop, unpark=self._go_on))
            ready = wait(list(self.tasks), timeout=LOOK_EVERY_SECONDS)
            for pipe in [pipe for pipe in self.members if pipe in ready]:
                task = self.tasks[pipe]
                try:
                    kind, value = pipe.recv()
                except (EOFError, OSError):
                    raise ManusError(self._obituary(pipe)) from None
                if kind == "report":
                    note(task, value)
                elif kind == "error":
                    raise value
                else:
                    self._give(pipe, tasks)
                    yield task, value

    def _give(self, pipe: Connection, tasks: Iterator[Any]) -> None:
        self.tasks.pop(pipe, None)
        task = next(tasks, None)
        if task is not None:
            self.tasks[pipe] = task
            pipe.send(task)

    def _obituary(self, pipe: Connection) -> str:
        process = self.members[pipe]
        process.join()
        why = (
            f"signal {-process.exitcode}"
            if process.exitcode and process.exitcode < 0
            else f"exit {process.exitcode}"
        )
        is_killed = process.exitcode == -signal.SIGKILL
        hint = "; is the memory full? fewer processes need less" if is_killed else ""
        return (
            f"a process died while {self.doing} ({why}){hint}; "
            "what it had finished is kept, the next run continues"
        )

    def _stop(self) -> None:
        self._signal(signal.SIGSTOP)

    def _go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.members.values():
            if process.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)


def _serve(pipe: Connection, work: Callable[[Any, Report], Any], parent: int, doing: str) -> None:
    """Do tasks until there are no more; die with the parent, even while stopped."""
    if not die_with(parent, signal.SIGKILL):
        return
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)  # they are for the parent, which tells us
    told_at = 0.0

    def report(done: int) -> None:
        nonlocal told_at
        now = time.monotonic()
        if now - told_at >= REPORT_EVERY_SECONDS:
            told_at = now
            pipe.send(("report", done))

    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            with _full_disk_said(doing):
                result = work(task, report)
            pipe.send(("done", result))
        except ManusError as error:
            pipe.send(("error", error))
        except Exception:
            pipe.send(("error", RuntimeError(traceback.format_exc())))
