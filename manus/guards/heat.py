"""Decides when it is too hot to work, from readings that a light thread takes. Knows nothing of models."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from manus.guards.sensors import Sensors, open_sensors
from manus.guards.settings import GuardSettings

SAMPLE_SECONDS = 2.0
CAP_ANSWER_SECONDS = 60.0


def too_hot(was_too_hot: bool, celsius: float | None, pause_above: float, resume_below: float) -> bool:
    """Tell whether to wait, from above one limit to below the other; without a temperature nothing waits."""
    if celsius is None:
        return False
    return celsius >= resume_below if was_too_hot else celsius > pause_above


class Thermometer:
    """Samples the hottest device in use in a thread of its own; reading its verdict costs nothing."""

    def __init__(
        self, guards: GuardSettings, sensors: Sensors, sample_seconds: float = SAMPLE_SECONDS
    ) -> None:
        self.guards, self.sensors, self.sample_seconds = guards, sensors, sample_seconds
        self.celsius: float | None = None
        self.is_too_hot = False
        self._capped_at: float | None = None
        self._may_cap = guards.power_cap_watts is not None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="thermometer", daemon=True)

    def start(self) -> None:
        """Take a first reading here, the others in the thread."""
        self.sample()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and give the GPUs their power back."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()
        self.sensors.restore_power()

    def _watch(self) -> None:
        while not self._is_over.wait(self.sample_seconds):
            self.sample()

    def sample(self) -> None:
        """Take one reading and judge it; a power cap, if wanted and permitted, gets its time first."""
        celsius, guards = self.sensors.hottest(), self.guards
        is_hot = too_hot(self.is_too_hot, celsius, guards.pause_above_celsius, guards.resume_below_celsius)
        self.celsius = celsius
        if is_hot and self._may_cap and guards.power_cap_watts is not None:
            self._may_cap = False
            if self.sensors.cap_power(guards.power_cap_watts):
                self._capped_at = time.monotonic()
                self.sensors.say_once(f"{celsius:g} °C: GPU power capped to {guards.power_cap_watts:g} W")
        is_answering = self._capped_at is not None and time.monotonic() - self._capped_at < CAP_ANSWER_SECONDS
        self.is_too_hot = is_hot and not is_answering


def thermometer(guards: GuardSettings, cuda_uuids: Iterable[str], say: Callable[[str], None]) -> Thermometer:
    """Return a running thermometer for the devices that this run uses."""
    made = Thermometer(guards, open_sensors(cuda_uuids, say))
    made.start()
    return made
