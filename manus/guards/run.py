"""The run of this process and its safe points, where it pauses, rests, cools, saves and stops.

Knows nothing of models: what can be saved, and which memory can be given up, comes as `Work`.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from manus.errors import Interrupted
from manus.guards import ranks
from manus.guards.checkpoint import is_disk_full
from manus.guards.clock import CLOCK
from manus.guards.cooldown import Countdown, is_due
from manus.guards.heat import Thermometer, thermometer
from manus.guards.progress import duration, progress
from manus.guards.ranks import say
from manus.guards.registry import register, unregister
from manus.guards.requests import REQUESTS, Requests
from manus.guards.settings import GuardSettings
from manus.guards.status_file import NAME, State, StatusFile
from manus.utc import timestamp

LOOK_EVERY_SECONDS = 0.1
ASKED_BY = "asked by"
OUTSIDE = GuardSettings(cooldown_every_steps=0)  # what is called without a run does not rest
SPARE_BYTES = 1_000_000
SECONDS_TO_NEXT_TRY = 5.0


class Save(NamedTuple):
    """How a run's state is saved: what it does, how many bytes it needs, and the folder it writes to."""

    write: Callable[[], Path]
    needed_bytes: Callable[[], int]
    folder: Path


@dataclass(frozen=True, slots=True)
class Work:
    """What can be done at a safe point: saving, and giving up an accelerator's memory for a while."""

    save: Save | None = None
    park: Callable[[], None] = lambda: None
    unpark: Callable[[], None] = lambda: None


NOTHING = Work()


class Now(NamedTuple):
    """What all ranks were asked, and how they are, at one moment: how many of them say so."""

    stop: int
    toggles: int
    pause: int
    resume: int
    checkpoint: int
    hot: int
    over: int


class Run:
    """One artifact being built by this process: its status, and what it was asked to do."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.guards = OUTSIDE
        self.status: StatusFile | None = None
        self.heat: Thermometer | None = None
        self.is_paused = False
        self._paused_by = ""

    @contextmanager
    def of(self, work: Path, guards: GuardSettings, state: State, **facts: Any) -> Iterator[None]:
        """Be the run of one artifact: tell its status in its work folder and obey the control file there."""
        self.guards, self.is_paused = guards, False
        if ranks.is_first():
            self.status = StatusFile(work / NAME, **facts)
            self.requests.obey(work)
            register(work / NAME)
        self.tell(state)
        try:
            yield
        except Interrupted as stopped:
            self.tell("interrupted", reason=str(stopped))
            raise
        except BaseException as error:
            self.tell("failed", reason=str(error).split("\n", 1)[0][:300])
            raise
        else:
            self.tell("done")
        finally:
            if self.heat is not None:
                self.heat.stop()
            self.heat = self.status = None
            self.guards = OUTSIDE
            self.requests.obey(None)
            if ranks.is_first():
                unregister()

    def watch_heat(self, cuda_uuids: tuple[str, ...]) -> None:
        """Watch the temperature of the devices in use from now to the end of the run."""
        if self.heat is None:
            self.heat = thermometer(self.guards, cuda_uuids, say)

    def tell(self, state: State | None = None, **facts: Any) -> None:
        """Note facts for the status file, where there is one."""
        if self.status is not None:
            self.status.tell(state, **facts)

    def step(self, step: int, total: int, **facts: Any) -> None:
        """Note how far the work is."""
        if self.status is not None:
            self.status.step(step, total, **facts)

    def cross(self, doing: str, step: int = 0, work: Work = NOTHING, is_last: bool = False) -> None:
        """Answer, at a safe point, to all that was asked for: save, rest, pause, stop.

        Args:
            doing: what is going on, as in "training cot".
            step: the optimizer steps done, 0 where there are none.
            work: what can be saved and which memory can be given up.
            is_last: whether only the results are left to write; then it neither rests nor cools nor stops.

        Raises:
            Interrupted: a signal asks to stop, or it stays too hot; the state was saved if there is any.
        """
        now = self._look()
        if step and self.status is not None:
            self.status.facts["step"] = step
        self.tell()  # a sign of life, at most once a second
        if now.checkpoint:
            self._checkpoint(doing, work)
        is_free = not (is_last or now.stop or now.hot or self.is_paused)
        if is_free and is_due(step, self.guards.cooldown_every_steps):
            now = self._rest(doing, work)
            if now.checkpoint:
                self._checkpoint(doing, work)
        if (self.is_paused or (now.hot and not is_last)) and not now.stop:
            now = self._wait(doing, f"at step {step}" if step else f"while {doing}", work)
        if now.stop and not is_last:
            self._end(self.requests.stop.name if self.requests.stop else "another rank's signal", doing, work)

    def save(self, work: Save) -> Path | None:
        """Save the state; on a full disk wait until there is room. None when a signal ended the wait."""
        before = self.status.facts["state"] if self.status else None
        while True:
            needed, seconds = work.needed_bytes() + SPARE_BYTES, 0.0
            if not _is_full(work.folder, needed):
                try:
                    self.tell("checkpointing")
                    path = work.write()
                    self.tell(before)
                    return path
                except Exception as error:
                    if ranks.world_size() > 1 or not is_disk_full(error):
                        raise
                    seconds = SECONDS_TO_NEXT_TRY  # there seemed to be room: a quota, or others took it
            self.tell(before)
            if not self._wait_for_room(work.folder, needed, seconds):
                return None

    def _look(self, is_over: bool = False) -> Now:
        """Take what came, agree on it with the other ranks, and let it change the pause."""
        asked = self.requests.take()
        hot = self.heat is not None and self.heat.is_too_hot
        now = Now(
            *ranks.summed(
                [
                    self.requests.stop is not None,
                    asked.toggles,
                    asked.pause,
                    asked.resume,
                    asked.checkpoint,
                    hot,
                    is_over,
                ]
            )
        )
        was_paused = self.is_paused
        self.is_paused ^= bool(now.toggles % 2)
        self.is_paused = (self.is_paused or bool(now.pause)) and not now.resume
        if self.is_paused and not was_paused:
            self._paused_by = asked.by or "another rank"
        if self.heat is not None and self.status is not None:
            self.status.facts["temperature"] = self.heat.celsius
        return now

    def _checkpoint(self, doing: str, work: Work) -> None:
        if work.save is None:
            told = f"there is nothing to save while {doing}"
        elif path := self.save(work.save):
            told = f"Checkpoint saved: {path}"
        else:
            return
        say(told)
        self.tell(now=True, checkpoint=told, checkpoint_at=time.time())

    @contextmanager
    def _idle(self, state: State, reason: str, work: Work) -> Iterator[None]:
        """Be idle: accelerator memory is given up, no time is counted, the status says why and since when."""
        before = dict(self.status.facts) if self.status else {}
        is_parked = state != "paused" or not self.guards.pause_keeps_memory
        with CLOCK.stopped():
            if is_parked:
                work.park()
            self.tell(state, now=True, reason=reason, since=timestamp(time.time()))
            try:
                yield
            finally:
                if is_parked:
                    work.unpark()
        self.tell(before.get("state"), now=True, reason=before.get("reason", ""), since=before.get("since"))

    def _rest(self, doing: str, work: Work) -> Now:
        """Let the device rest for the cooldown; SIGUSR1 or any order ends it."""
        countdown = Countdown(self.guards.cooldown_seconds)
        say(f"Cooling down for {self.guards.cooldown_seconds:g} s while {doing} (SIGUSR1 to skip)")
        reason = f"cooldown every {self.guards.cooldown_every_steps} steps"
        with self._idle("cooling", reason, work), progress("cool down", countdown.total, "s") as advance:
            while True:
                now = self._look(is_over=countdown.seconds_left == 0)
                if now.toggles:
                    self.is_paused = False
                if any((now.stop, now.over, now.toggles, now.pause, now.resume, now.checkpoint)):
                    return now
                advance(countdown.seconds_gone)
                self.tell(reason=f"{reason}, {countdown.seconds_left:.0f} s left")
                time.sleep(LOOK_EVERY_SECONDS)

    def _wait(self, doing: str, place: str, work: Work) -> Now:
        """Wait while paused or too hot.

        Raises:
            Interrupted: it was too hot for longer than the limit.
        """
        began = time.monotonic()
        why = self._why_paused()
        note = (
            "SIGUSR1 to resume"
            if self.is_paused
            else f"{why}, resumes below {self.guards.resume_below_celsius:g} °C"
        )
        say(f"Paused {place}... ({note})")
        with self._idle("paused", why, work):
            hot_since = began
            while True:
                is_late = time.monotonic() - hot_since > 60 * self.guards.max_wait_minutes
                now = self._look(is_late)
                if now.checkpoint:
                    self._checkpoint(doing, work)
                if now.stop or not (self.is_paused or now.hot):
                    break
                if self.is_paused or not now.hot:
                    hot_since = time.monotonic()
                elif now.over:
                    break
                self.tell(reason=self._why_paused())
                time.sleep(LOOK_EVERY_SECONDS)
        if now.over and now.hot and not now.stop:
            self._end(f"too hot for {self.guards.max_wait_minutes:g} min", doing, work)
        if not now.stop:
            say(f"Resumed {place} after {duration(time.monotonic() - began)}")
        return now

    def _why_paused(self) -> str:
        if self.is_paused:
            return f"{ASKED_BY} {self._paused_by}"
        celsius = self.heat.celsius if self.heat is not None else None
        return "it is too hot" + (f": {celsius:g} °C" if celsius is not None else "")

    def _wait_for_room(self, folder: Path, needed: int, seconds: float) -> bool:
        """Wait so many seconds or more, until a disk has room or a signal says stop; tell if it has room."""
        began = time.monotonic()
        why = (
            f"the disk is full: a checkpoint needs {needed / 1e6:.1f} MB, "
            f"{free_bytes(folder) / 1e6:.1f} MB are free"
        )
        say(f"Paused: {why}. Free some and it goes on by itself; earlier checkpoints are safe")
        with self._idle("paused", why, NOTHING):
            while not self._look().stop:
                if not _is_full(folder, needed) and time.monotonic() - began >= seconds:
                    return True
                time.sleep(LOOK_EVERY_SECONDS)
        return False

    def _end(self, why: str, doing: str, work: Work) -> None:
        """Save what can be saved and raise Interrupted."""
        if work.save is None:
            raise Interrupted(f"{why} while {doing}; the next run continues")
        lost = f"{why} while {doing}; the disk is full, so the next run continues from the last checkpoint"
        if _is_full(work.save.folder, work.save.needed_bytes() + SPARE_BYTES):
            raise Interrupted(lost)
        self.tell("checkpointing")
        try:
            saved = work.save.write()
        except Exception as error:
            if is_disk_full(error):
                raise Interrupted(lost) from error
            raise
        raise Interrupted(f"{why} while {doing}; saved in {saved.name}, the next run continues")


def free_bytes(folder: Path) -> int:
    """Return the space that is left where a folder lies."""
    return shutil.disk_usage(folder).free


def _is_full(folder: Path, needed: int) -> bool:
    """Tell whether a disk lacks room, in the eyes of the rank that writes."""
    return ranks.summed([ranks.is_first() and free_bytes(folder) < needed])[0] > 0


RUN = Run(REQUESTS)
