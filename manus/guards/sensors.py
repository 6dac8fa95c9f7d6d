"""Reads temperatures: of GPUs by NVML, of the processor by the system's sensors. Decides nothing."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable
from typing import Any

import psutil

PROCESSOR_CHIPS = ("coretemp", "k10temp", "zenpower", "cpu_thermal", "soc_thermal", "acpitz")
HIGHEST_PLAUSIBLE_CELSIUS = 150.0
MILLIWATTS = 1000


def plausible(celsius: float) -> bool:
    """Tell whether a reading can be true: sensors that are gone or asleep say 0, 255 or not a number."""
    return math.isfinite(celsius) and 0 < celsius < HIGHEST_PLAUSIBLE_CELSIUS


class Sensors:
    """The sensors of the devices in use, and what was already said about the broken ones."""

    def __init__(self, gpus: list[Any], say: Callable[[str], None]) -> None:
        self.gpus = gpus
        self._say = say
        self._said: set[str] = set()
        self._first_caps: list[tuple[Any, int]] = []

    def say_once(self, text: str) -> None:
        """Tell the user something about a sensor, once."""
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def hottest(self) -> float | None:
        """Return the temperature of the hottest device in use in degrees Celsius, None if no sensor tells."""
        readings = list(self._gpu_readings()) if self.gpus else list(self._processor_readings())
        good = [celsius for celsius in readings if plausible(celsius)]
        for celsius in readings:
            if not plausible(celsius):
                self.say_once(f"a temperature sensor reads {celsius:g}, which cannot be; it is ignored")
        return max(good, default=None)

    def _gpu_readings(self) -> Iterable[float]:
        import pynvml

        for gpu in self.gpus:
            try:
                yield float(pynvml.nvmlDeviceGetTemperature(gpu, pynvml.NVML_TEMPERATURE_GPU))
            except pynvml.NVMLError as error:
                self.say_once(f"the GPU's temperature cannot be read ({error}); training goes on without it")

    def _processor_readings(self) -> Iterable[float]:
        try:
            found = psutil.sensors_temperatures()
        except (AttributeError, OSError) as error:  # not every system has them
            self.say_once(f"this system has no temperature sensors ({error})")
            return
        chip = next((chip for chip in PROCESSOR_CHIPS if found.get(chip)), None)
        if chip is None:
            self.say_once("no temperature sensor: heat is not watched")
            return
        yield from (float(entry.current) for entry in found[chip])

    def cap_power(self, watts: float) -> bool:
        """Lower the power limit of the GPUs; tell whether all of them took it."""
        import pynvml

        for gpu in self.gpus:
            try:
                before = pynvml.nvmlDeviceGetPowerManagementLimit(gpu)
                pynvml.nvmlDeviceSetPowerManagementLimit(gpu, min(before, round(watts * MILLIWATTS)))
            except pynvml.NVMLError as error:
                self.say_once(f"the GPU's power cannot be capped ({error}); pausing instead")
                return False
            self._first_caps.append((gpu, before))
        return bool(self.gpus)

    def restore_power(self) -> None:
        """Give the GPUs the power limits back that they had before."""
        import pynvml

        for gpu, before in self._first_caps:
            with contextlib.suppress(pynvml.NVMLError):  # a GPU that is gone needs no limit
                pynvml.nvmlDeviceSetPowerManagementLimit(gpu, before)
        self._first_caps.clear()


def open_sensors(cuda_uuids: Iterable[str], say: Callable[[str], None]) -> Sensors:
    """Return the sensors of what this run uses.

    GPUs in use are those of `cuda_uuids`, as PyTorch names them; where PyTorch uses none, those that
    CUDA_VISIBLE_DEVICES names, or all that NVML shows. Without a GPU the processor's sensors count.
    """
    import pynvml

    sensors = Sensors([], say)
    try:
        pynvml.nvmlInit()
        sensors.gpus = [_by_name(name) for name in cuda_uuids or _visible(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError_LibraryNotFound:
        sensors.gpus = []  # no NVIDIA driver: the usual case without a GPU
    except pynvml.NVMLError as error:
        sensors.say_once(f"NVML cannot be used ({error}); GPU temperatures are not watched")
    return sensors


def _by_name(name: str) -> Any:
    import pynvml

    return (
        pynvml.nvmlDeviceGetHandleByIndex(int(name))
        if name.isdecimal()
        else pynvml.nvmlDeviceGetHandleByUUID(name)
    )


def _visible(count: int) -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return [str(index) for index in range(count)]
    return [name.strip() for name in visible.split(",") if name.strip() not in ("", "-1")]
