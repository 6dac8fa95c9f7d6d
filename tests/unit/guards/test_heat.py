"""When it is too hot, and what broken sensors may not do. Sensors are read by the real NVML bindings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from manus.guards import heat
from manus.guards.heat import Thermometer, too_hot
from manus.guards.sensors import Sensors, open_sensors, plausible
from manus.guards.settings import GuardSettings

STUB = Path(__file__).parents[2] / "e2e" / "nvml_stub.c"


def test_it_waits_from_above_the_one_limit_until_below_the_other() -> None:
    readings = [80, 83, 84, 80, 75, 74.9, 80, 83, 83.5, None, 80]
    was, seen = False, []
    for celsius in readings:
        was = too_hot(was, celsius, 83, 75)
        seen.append(was)
    assert seen == [False, False, True, True, True, False, False, False, True, False, False]


@pytest.mark.parametrize("celsius", [0, -5, 255, 150, float("nan"), float("inf")])
def test_what_cannot_be_true_is_no_reading(celsius: float) -> None:
    assert not plausible(celsius)
    assert plausible(41.5)


def entry(celsius: float) -> Any:
    return SimpleNamespace(current=celsius)


def test_processor_sensors_count_where_no_gpu_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    found = {"nvme": [entry(99)], "coretemp": [entry(61), entry(66), entry(255)]}
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: found)
    sensors = Sensors([], said.append)
    assert [sensors.hottest(), sensors.hottest()] == [66, 66]
    assert said == ["a temperature sensor reads 255, which cannot be; it is ignored"]
    found.clear()
    assert [sensors.hottest(), sensors.hottest()] == [None, None]
    assert said[1:] == ["no temperature sensor: heat is not watched"]


def test_without_the_driver_there_are_no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    import pynvml

    def missing() -> None:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)

    monkeypatch.setattr(pynvml, "nvmlInit", missing)
    assert open_sensors((), pytest.fail).gpus == []


ASK = """
import json, sys
from manus.guards.heat import Thermometer
from manus.guards.sensors import open_sensors
from manus.guards.settings import GuardSettings

said = []
sensors = open_sensors(json.loads(sys.argv[1]), said.append)
thermometer = Thermometer(GuardSettings(**json.loads(sys.argv[2])), sensors)
seen = []
for line in sys.stdin:
    with open(sys.argv[3], "w") as readings:
        readings.write(line.replace(";", "\\n"))
    thermometer.sample()
    seen.append([thermometer.celsius, thermometer.is_too_hot])
thermometer.stop()
print(json.dumps([seen, said]))
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nvml")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(folder / "libnvidia-ml.so.1"), str(STUB)], check=True)
    return folder


def measured(
    library: Path,
    folder: Path,
    readings: list[str],
    uuids: tuple[str, ...] = (),
    guards: dict[str, Any] | None = None,
    **variables: str,
) -> tuple[list[list[Any]], list[str]]:
    """Ask the real bindings, in a process that finds the stub, what they say after each line of readings."""
    file = folder / "readings.txt"
    file.write_text("")
    stub = {
        "LD_LIBRARY_PATH": str(library),
        "NVML_STUB_READINGS": str(file),
        "NVML_STUB_POWER": str(folder / "power.txt"),
    }
    without = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    done = subprocess.run(
        [sys.executable, "-c", ASK, json.dumps(uuids), json.dumps(guards or {}), str(file)],
        env={**without, **stub, **variables},
        input="\n".join(readings),
        capture_output=True,
        text=True,
        check=True,
    )
    seen, said = json.loads(done.stdout)
    return seen, said


def test_the_hottest_gpu_counts_and_a_lost_one_is_said_once(library: Path, tmp_path: Path) -> None:
    readings = [
        "temperature 60;temperature.1 70",
        "temperature.0 90;temperature.1 60",
        "temperature 76",
        "error 15",
        "error 15",
    ]
    seen, said = measured(library, tmp_path, readings)
    assert seen == [[70, False], [90, True], [76, True], [None, False], [None, False]]
    assert len(said) == 1 and "cannot be read" in said[0]


def test_lies_stop_nothing(library: Path, tmp_path: Path) -> None:
    seen, said = measured(
        library, tmp_path, ["temperature 255", "temperature 0", "temperature.0 255;temperature.1 71"]
    )
    assert seen == [[None, False], [None, False], [71, False]]
    assert len(said) == 2


@pytest.mark.parametrize(
    ("uuids", "variables", "celsius"),
    [
        ((), {"CUDA_VISIBLE_DEVICES": "0"}, 50),
        ((), {"CUDA_VISIBLE_DEVICES": "1"}, 95),
        ((), {"CUDA_VISIBLE_DEVICES": "GPU-0"}, 50),
        (("GPU-0",), {}, 50),
        (("GPU-1",), {"CUDA_VISIBLE_DEVICES": "0,1"}, 95),
    ],
)
def test_only_gpus_in_use_count(
    library: Path, tmp_path: Path, uuids: tuple[str, ...], variables: dict[str, str], celsius: int
) -> None:
    seen, _ = measured(library, tmp_path, ["temperature.0 50;temperature.1 95"], uuids, **variables)
    assert seen[0][0] == celsius


def test_a_power_cap_is_the_first_answer_and_is_taken_back(library: Path, tmp_path: Path) -> None:
    seen, said = measured(
        library, tmp_path, ["temperature 90", "temperature 60"], guards={"power_cap_watts": 200}
    )
    assert seen == [[90, False], [60, False]]
    assert said == ["90 °C: GPU power capped to 200 W"]
    assert (tmp_path / "power.txt").read_text().split("\n")[:4] == [
        "0 200000",
        "1 200000",
        "0 300000",
        "1 300000",
    ]


def test_where_power_may_not_be_capped_it_pauses(library: Path, tmp_path: Path) -> None:
    seen, said = measured(
        library, tmp_path, ["temperature 90;power_error 4"], guards={"power_cap_watts": 200}
    )
    assert seen == [[90, True]]
    assert len(said) == 1 and "pausing instead" in said[0]


def test_a_cap_that_does_not_help_is_followed_by_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hot(Sensors):
        def hottest(self) -> float | None:
            return 90.0

        def cap_power(self, watts: float) -> bool:
            return True

    monkeypatch.setattr(heat, "CAP_ANSWER_SECONDS", 0.0)
    thermometer = Thermometer(GuardSettings(power_cap_watts=100), Hot([], lambda text: None))
    thermometer.sample()
    assert thermometer.is_too_hot
