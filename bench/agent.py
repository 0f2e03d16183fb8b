"""What measuring itself costs: an agent's processor time and memory, the split under load, and a call's share of it.

    make bench-agent                          # one minute of agent
    make bench-agent ARGS="--seconds 300"

The agent reads, each second, an exporter with eight boards and a vLLM's metrics of usual length, over loopback HTTP.
Last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from typing import Any

from mesure.apps.agent import Agent
from mesure.config import DeploymentSettings, SensorSettings, ServerSettings, Settings
from mesure.impact import Deployment, resolve
from mesure.meter.sensors import Device, Raw, Sensor
from mesure.meter.sensors.server_meter import Measured, ServerMeter
from mesure.meter.sensors.work import work_of
from mesure.record import UsageEvent, new_id

_BOARDS = 8


def _pages() -> dict[str, Any]:
    began = time.monotonic()

    def boards() -> str:
        joules = 3e5 * time.monotonic()
        return "\n".join(
            f'{name}{{gpu="{i}",UUID="GPU-{i}",modelName="NVIDIA H200",Hostname="h"}} {joules:.0f}'
            for name in ("DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION")
            for i in range(_BOARDS)
        )

    def server() -> str:
        """Some 600 lines, as a vLLM with its histograms publishes."""
        tokens = 1_000 * (time.monotonic() - began)
        label = '{engine="0",model_name="llama-3.1-8b-instruct"'
        told = [f'vllm:histogram_{h}_bucket{label},le="{b}"}} {tokens}' for h in range(20) for b in range(30)]
        told += [f"vllm:prompt_tokens_total{label}}} {tokens}", f"vllm:generation_tokens_total{label}}} {tokens / 5}"]
        told += [f"vllm:request_success_total{label}}} {tokens / 1_000}", f"vllm:num_requests_running{label}}} 3"]
        return "\n".join(told)

    return {"/metrics": boards, "/server": server}


def _serve(queue: Queue[int]) -> None:
    pages = _pages()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = pages[self.path]().encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    queue.put(server.server_port)
    server.serve_forever()


@contextmanager
def exporters() -> Iterator[str]:
    """In a process of their own: their cost is not the agent's."""
    queue: Queue[int] = Queue()
    process = Process(target=_serve, args=(queue,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{queue.get()}"
    finally:
        process.terminate()


def agent(seconds: float) -> dict[str, float]:
    """Processor time of the whole agent over wall time, and its resident memory."""
    with exporters() as url, tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            server=ServerSettings(data=folder),
            sensors={"boards": SensorSettings(kind="prometheus", url=url)},
            deployments={
                "chat": DeploymentSettings(
                    gpu="h200", sensor="boards", requests="server", metrics_url=url + "/server", provider="vllm"
                )
            },
        )
        one = Agent(settings, {})
        one.start()
        time.sleep(3.0)  # the first events load the catalogue
        begun, cpu = time.monotonic(), time.process_time()
        time.sleep(seconds)
        spent = (time.process_time() - cpu) / (time.monotonic() - begun)
        one.stop()
    return {"agent_cpu_share": spent, "agent_max_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


class _Nowhere:
    """A sink that takes everything."""

    def __init__(self) -> None:
        self.taken = 0

    def record(self, event: UsageEvent) -> bool:  # noqa: ARG002
        self.taken += 1
        return True


def split(rate: int, seconds: int = 20) -> dict[str, float]:
    """Calls of two seconds each, `rate` a second: what they cost the caller, and the thread that splits."""
    coefficients = resolve("llama-3.1-8b-instruct", deployment=Deployment(gpu="h200"))
    clock, sink, joules = [0.0], _Nowhere(), [0.0]
    sensor = Sensor("nvml", "counter", "accelerator", [Device("g", "g", lambda: Raw(joules[0], None))])
    meter = ServerMeter(
        sensor, [Measured("chat")], sink, work=lambda event: work_of(event, coefficients), clock=lambda: clock[0]
    )
    meter._sample = meter._sample._replace(at_s=0.0)
    meter._last.at_s = 0.0
    sensor.sample = lambda: meter._sample._replace(at_s=clock[0], joules=joules[0])  # type: ignore[method-assign]
    chosen, at = random.Random(1), datetime.now(UTC)
    in_path = in_thread = 0.0
    flying: list[tuple[str, float]] = []
    for second in range(seconds):
        for turn in range(rate):
            clock[0] = second + turn / rate
            key = new_id()
            flying.append((key, clock[0]))
            begun = time.perf_counter()
            meter.start(key)
            in_path += time.perf_counter() - begun
            while flying and flying[0][1] <= clock[0] - 2.0:
                done, _ = flying.pop(0)
                event = UsageEvent(
                    id=done,
                    started_at=at,
                    input_tokens=chosen.randrange(2_000),
                    output_tokens=chosen.randrange(500),
                    duration_ms=2_000.0,
                    first_output_ms=200.0,
                )
                begun = time.perf_counter()
                meter.booked(done, event)
                in_path += time.perf_counter() - begun
        clock[0], joules[0] = second + 1.0, joules[0] + 600.0
        begun = time.process_time()
        meter.step()
        in_thread += time.process_time() - begun
    calls = rate * seconds
    return {"in_path_us_per_call": in_path / calls * 1e6, "split_us_per_call": in_thread / calls * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rates", type=int, nargs="*", default=[10, 100, 500])
    asked = parser.parse_args()
    found: dict[str, Any] = agent(asked.seconds)
    print(f"agent: {100 * found['agent_cpu_share']:.2f} % of a core, {found['agent_max_rss_mb']:.0f} MB")
    for rate in asked.rates:
        found[f"at_{rate}_per_s"] = told = split(rate)
        path, beside = told.values()
        print(f"{rate}/s: {path:.1f} µs in a call's path, {beside:.0f} µs beside it")
    print(json.dumps(found | {"python": sys.version.split()[0]}))


if __name__ == "__main__":
    main()
