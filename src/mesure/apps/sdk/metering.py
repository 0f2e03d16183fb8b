"""`mesure.meter()`: any model that this process runs itself, generative or not, as one event with its energy."""

from __future__ import annotations

import inspect
import logging
import os
import threading
import time
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

from mesure.apps.sdk.delivery import delivery_to
from mesure.errors import InvalidValue
from mesure.record import CHOICES, UsageEvent, new_id

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator
    from pathlib import Path
    from types import TracebackType

    from mesure.meter.sensors import CallMeter
    from mesure.record import Operation, Outcome

__all__ = ["Metered", "meter"]

log = logging.getLogger("mesure.sdk")

F = TypeVar("F", bound="Callable[..., Any]")


@dataclass(slots=True)
class Metered:
    """What is known of one use; set what the model tells, in the block. `items`: texts, rows or files it was given."""

    items: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    audio_seconds: float | None = None
    images_count: int | None = None
    characters: int | None = None
    labels: dict[str, str] = field(default_factory=dict)


class _Clock:
    """Energy and time of one use, gathered while it works: a generator's pauses are not its own."""

    def __init__(self) -> None:
        self.id = new_id()
        self.started_at = datetime.now(UTC)
        self.worked_s = 0.0
        self.facts: dict[str, Any] = {}
        self._gap = False

    @contextmanager
    def working(self) -> Iterator[None]:
        sensor = _sensor()
        began = time.perf_counter()
        if sensor is not None:
            sensor.start(self.id)
        try:
            yield
        finally:
            self.worked_s += time.perf_counter() - began
            if sensor is not None:
                self._add(sensor)

    def _add(self, sensor: CallMeter) -> None:
        reading = sensor.stop(self.id)
        if reading is None or self._gap:
            self._gap, self.facts = True, {}
            return
        sums = {"energy_j": reading.energy_j, "energy_low_j": reading.low_j, "energy_high_j": reading.high_j}
        self.facts = {name: self.facts.get(name, 0.0) + value for name, value in sums.items()} | {
            "energy_sensor": reading.sensor,
            "energy_status": reading.status,
            "energy_scope": reading.scope,
        }


class meter(AbstractContextManager[Metered], AbstractAsyncContextManager[Metered]):  # noqa: N801  (reads as a verb)
    """`with mesure.meter("whisper-small", operation="transcription") as m:` or `@mesure.meter(...)` on a function,
    a coroutine or a generator of either kind. One event each time, with the energy of this process while it worked:
    read where there is a sensor, else modelled from CPU time; shared equally with what else is metered at that moment.

    `model`: its name. `items`: how many texts, rows or files it is given; tokens and the like are set on what the block
    gets. `to`: address of a Mesure or a data folder (`MESURE_URL`, else `mesure-data`). `zone`: grid zone of this
    machine. Raises `InvalidValue` for an operation that does not exist, and nothing once it runs.
    """

    def __init__(
        self,
        model: str,
        *,
        operation: Operation = "other",
        items: int | None = None,
        team: str | None = None,
        use_case: str | None = None,
        task: str | None = None,
        application: str | None = None,
        zone: str | None = None,
        to: str | Path | None = None,
    ) -> None:
        if operation not in CHOICES["operation"]:
            known = ", ".join(filter(None, CHOICES["operation"]))
            raise InvalidValue("There is no such operation", value=operation, action=f"Use one of: {known}")
        self._items = items
        self._to = to
        self._fields = {
            "model_requested": model,
            "operation": operation,
            "team": team,
            "use_case": use_case,
            "task": task,
            "application": application,
            "host_zone": zone,
            "source": "hook",
        }
        self._open: dict[int, list[Any]] = {}

    def __enter__(self) -> Metered:
        clock, metered = _Clock(), Metered(self._items)
        working = clock.working()
        working.__enter__()
        # One `meter` may be entered by several threads and tasks: the block is told by what it got.
        self._open.setdefault(_here(), []).append((clock, metered, working))
        return metered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        here = _here()
        clock, metered, working = self._open[here].pop()
        if not self._open[here]:
            del self._open[here]
        working.__exit__(None, None, None)
        self._tell(clock, metered, kind)

    async def __aenter__(self) -> Metered:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        if inspect.isasyncgenfunction(function):
            return cast("F", self._async_generator(function))
        if inspect.isgeneratorfunction(function):
            return cast("F", self._generator(function))
        if inspect.iscoroutinefunction(function):

            @wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await function(*args, **kwargs)

            return cast("F", awaited)

        @wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return cast("F", called)

    def _generator(self, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
        @wraps(function)
        def generated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            clock, metered = _Clock(), Metered(self._items)
            inner = function(*args, **kwargs)
            kind: type[BaseException] | None = None
            step: Callable[[], Any] = partial(inner.send, None)
            try:
                while True:
                    with clock.working():
                        given = step()
                    try:
                        step = partial(inner.send, (yield given))
                    except GeneratorExit:
                        inner.close()
                        raise
                    except BaseException as error:  # noqa: BLE001  (thrown in: it is the generator's to answer)
                        step = partial(inner.throw, error)
            except StopIteration as end:
                return end.value
            except BaseException as error:
                kind = type(error)
                raise
            finally:
                self._tell(clock, metered, kind)

        return generated

    def _async_generator(self, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
        @wraps(function)
        async def generated(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            clock, metered = _Clock(), Metered(self._items)
            inner = function(*args, **kwargs)
            kind: type[BaseException] | None = None
            step: Callable[[], Any] = partial(inner.asend, None)
            try:
                while True:
                    with clock.working():
                        given = await step()
                    try:
                        step = partial(inner.asend, (yield given))
                    except GeneratorExit:
                        await inner.aclose()
                        raise
                    except BaseException as error:  # noqa: BLE001  (thrown in: it is the generator's to answer)
                        step = partial(inner.athrow, error)
            except StopAsyncIteration:
                return
            except BaseException as error:
                kind = type(error)
                raise
            finally:
                self._tell(clock, metered, kind)

        return generated

    def _tell(self, clock: _Clock, metered: Metered, kind: type[BaseException] | None) -> None:
        try:
            delivery_to(self._to).put(_event(clock, metered, self._fields, kind))
        except Exception as error:  # noqa: BLE001  (what was metered goes on)
            log.warning("A use could not be metered: %s", type(error).__name__)


def _event(clock: _Clock, metered: Metered, fields: dict[str, Any], kind: type[BaseException] | None) -> UsageEvent:
    status: Outcome = "ok" if kind is None else "cancelled" if kind is GeneratorExit else "error"
    hexadecimal = clock.id.replace("-", "")
    return UsageEvent(
        **fields,
        **clock.facts,
        id=clock.id,
        started_at=clock.started_at,
        ended_at=datetime.now(UTC),
        duration_ms=clock.worked_s * 1e3,
        trace_id=hexadecimal,
        span_id=hexadecimal[16:],
        status=status,
        error_type=kind.__name__ if status == "error" and kind is not None else None,
        input_items=metered.items,
        input_tokens=metered.input_tokens,
        output_tokens=metered.output_tokens,
        tokens_reported=False if metered.input_tokens is not None or metered.output_tokens is not None else None,
        audio_seconds=metered.audio_seconds,
        images_count=metered.images_count,
        characters=metered.characters,
        labels=dict(metered.labels) or None,
    ).checked()


def _here() -> int:
    """The task, or the thread: blocks nest within one, and run beside each other in several."""
    try:
        import asyncio

        if (task := asyncio.current_task()) is not None:
            return id(task)
    except RuntimeError:
        pass
    return threading.get_ident()


_sensors: dict[int, CallMeter | None] = {}
_making = threading.Lock()


def _sensor() -> CallMeter | None:
    """One a process: what several blocks use at once is shared among them. None where nothing can be read."""
    pid = os.getpid()
    if pid not in _sensors:
        with _making:
            if pid not in _sensors:
                _sensors.clear()
                _sensors[pid] = _new_sensor(pid)
    return _sensors.get(pid)


def _new_sensor(pid: int) -> CallMeter | None:
    try:
        from mesure.meter.sensors import CallMeter, best_source

        return CallMeter(best_source(pid))
    except Exception as error:  # noqa: BLE001  (uses are told without their energy)
        log.warning("The energy of this process cannot be read: %s", error)
        return None
