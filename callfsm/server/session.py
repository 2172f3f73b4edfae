"""One call: two sockets, one timer, one machine. Everything of the call is started and ended here."""

import asyncio
import math
from logging import INFO, WARNING
from typing import Final

import aiohttp
from aiohttp import web

from callfsm.audit.journal import Journal
from callfsm.call import Call
from callfsm.detector.service import CallDetector, Detector
from callfsm.effects import CallTool
from callfsm.events import (
    AudioDelta,
    CallEnded,
    Event,
    RmsFrame,
    SpeechDetected,
    TimerFired,
    TranscriptFailed,
)
from callfsm.machine import dispatch
from callfsm.server.breaker import OPENAI_FAILED, Breaker
from callfsm.server.bugs import contained
from callfsm.server.gauges import CallGauges
from callfsm.server.link import RENEWED, RealtimeLink
from callfsm.server.logs import CallLog
from callfsm.server.media_watch import MediaWatch
from callfsm.server.metrics import Metrics
from callfsm.server.outbox import Outbox, OutboxOverflowError
from callfsm.server.performer import Performer
from callfsm.server.realtime_session import RealtimeAddress
from callfsm.server.reminders import Reminders
from callfsm.server.tool_calls import ToolCalls
from callfsm.server.twilio_reader import TwilioReader
from callfsm.speaking.response import ResponsePhase
from callfsm.states.base import State
from callfsm.wire import twilio
from callfsm.wire.malformed import MalformedError

CLOSE_CODES: Final = {
    "shutdown": aiohttp.WSCloseCode.GOING_AWAY,
    "twilio_flood": aiohttp.WSCloseCode.POLICY_VIOLATION,
}
"""The close code of the media socket by the reason of the call's end; 1000 for every other."""
FAILURES: Final = (*OPENAI_FAILED, "internal_error")
"""Reasons of a call's end, by their beginnings, for which the caller is owed an apology."""
ODD_ENDS: Final = (
    "shutdown",
    "no_media",
    "max_call_s",
    "cancelled",
    "twilio_flood",
    "twilio_broke",
    "twilio_not_reading",
)
"""Reasons, by their beginnings, that are nobody's failure and worth a line all the same."""
WAITING_BYTES: Final = 16 * 2**20
"""A reply of some twenty minutes that the caller's side does not take is too much."""


class CallSession:
    """One live call between its two sockets."""

    def __init__(
        self,
        call: Call,
        start: twilio.Start,
        journal: Journal | None,
        metrics: Metrics,
        *,
        breaker: Breaker,
        detector: Detector | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._call_sid = start.start.call_sid
        self._encoder = twilio.Encoder(start.stream_sid)
        self._reader = TwilioReader(start, call.config.limits.twilio_ahead_s, self)
        self._journal = journal
        self._log = CallLog(self._call_sid, journal)
        self._gauges = CallGauges(metrics)
        self._breaker = breaker
        self._detector = CallDetector(detector, call, self._detected) if detector else None
        self._to_twilio = Outbox("twilio", WAITING_BYTES, drops_audio=False)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._tools = ToolCalls(call, self._log, self._gauges, call_sid=self._call_sid, done=self._task_done)
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._http: aiohttp.ClientSession
        self._media: MediaWatch
        self._link: RealtimeLink
        self._performer: Performer

    def _finish(self, error: BaseException | None = None) -> None:
        if not self._over.done():
            if error is None:
                self._over.set_result(None)
            else:
                self._over.set_exception(error)

    @property
    def reason(self) -> str:
        """Why the call ended."""
        return self._call.end_reason or "cancelled"

    def end(self, reason: str) -> None:
        """End the call from outside."""
        self.feed(CallEnded(self._loop.time(), reason))

    def feed(self, event: Event) -> None:
        """Feed one event to the machine and carry out its effects; a bug of ours ends this call alone."""
        if self._over.done():
            return
        try:
            self._step(event)
            self._arm()
        except Exception as error:  # noqa: BLE001 - the one place to which bugs of ours propagate; run() reports it
            self._finish(error)

    def _step(self, event: Event) -> None:
        call, source = self._call, self._call.state
        try:
            effects = dispatch(call, event)
        finally:
            # An event that meets a bug of ours is the one that the journal must not lack.
            if self._journal is not None:
                self._journal.record(event, source, call.state)
        self._gauges.dispatched(event, call.moves)
        if type(event) is AudioDelta:
            self._breaker.spoke()
        elif type(event) is TranscriptFailed:
            self._tally(f"transcription failed: {event.code or 'no_code'}", 1, tag="REALTIME")
        for effect in effects:
            own = self._performer.perform(effect)
            if isinstance(own, CallTool):
                self._tools.ask(self._http, own, self.feed)
            elif own is not None:
                self._finish()

    def _arm(self) -> None:
        if self._call.deadline == self._timer_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._call.deadline
        if self._timer_at < math.inf:
            self._timer = self._loop.call_at(self._timer_at, self._fire)

    def _fire(self) -> None:
        # The loop may call a little early; the deadline has passed all the same.
        self.feed(TimerFired(max(self._timer_at, self._loop.time())))

    def _detected(self) -> None:
        self.feed(SpeechDetected(self._loop.time()))

    def tried(self, result: str) -> None:
        """Count a try to get a Realtime session, by what came of it."""
        self._gauges.tried(result)

    def lost(self, why: str) -> None:
        """Note that the Realtime session is gone: what a caller then hears is explained by it."""
        self._log.say(INFO if why == RENEWED else WARNING, f"[REALTIME] Session over: {why}")

    @property
    def is_response_awaited(self) -> bool:
        """Whether a response has been requested that has not ended."""
        return self._call.response.phase is not ResponsePhase.NONE

    def count(self, error: MalformedError) -> None:
        """Count a peer's malformed message; log its place once a call."""
        self._gauges.malformed(error)
        self._tally(error.place, 1)

    def set_aside(self, what: str, count: int) -> None:
        """Count messages of Twilio that are not heard; log it once a call."""
        self._gauges.set_aside(what, count)
        self._tally(f"twilio messages: {what}", count)

    def _tally(self, place: str, count: int, tag: str = "WIRE") -> None:
        if place not in self._performer.counts:
            self._log.say(WARNING, f"[{tag}] {place}")
        self._performer.counts[place] += count

    def hear(self, at: float, frame: twilio.Frame) -> None:
        """Take 20 ms of the caller's line."""
        self._media.seen_at = at
        self._gauges.frame_arrived()
        self.feed(RmsFrame(at, *frame))
        self._gauges.heard(self._call)
        if self._detector is not None:
            self._detector.look()

    async def run(self, socket: web.WebSocketResponse, http: aiohttp.ClientSession, address: RealtimeAddress) -> None:
        """Carry the call from its start to its end; both legs are closed when this returns."""
        self._http = http
        self._link = RealtimeLink(http, address, self._call.config.limits, self)
        self._performer = Performer(self._encoder, self._to_twilio, self._link, self._log, self._gauges)
        limit = self._loop.call_later(self._call.config.max_call_s, self.end, "max_call_s")
        # The line is owed its frames from here on, not from before its journal was open.
        self._media = MediaWatch(self._call.config.limits.no_media_s, lambda: self.end("no_media"))
        tasks = [
            asyncio.create_task(work)
            for work in (
                self._reader.read(socket, lambda: self._call.state is State.ENDED),
                self._write_twilio(socket),
                Reminders(self._call, self._link, self.feed).run(),
                self._link.run(),
            )
        ]
        for task in tasks:
            task.add_done_callback(self._task_done)
        try:
            with contained(self._log, self.fail):
                await self._wait()
        finally:
            limit.cancel()
            self._media.stop()
            if self._timer is not None:
                self._timer.cancel()
            try:
                with contained(self._log, self.fail):
                    await self._close(socket, tasks)
            finally:
                self._report_end()

    async def _wait(self) -> None:
        """Return when the call is over; raise the bug that ended it."""
        try:
            await self._over
        except OutboxOverflowError as error:
            self._stop(f"{error}_not_reading")

    async def _close(self, socket: web.WebSocketResponse, tasks: list[asyncio.Task[None]]) -> None:
        *others, of_realtime = tasks
        for task in [*tasks, *self._tools.tasks]:
            task.cancel()
        # A socket that is being read cannot be closed; the other leg closes itself meanwhile.
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.gather(
            socket.close(code=CLOSE_CODES.get(self.reason, aiohttp.WSCloseCode.OK), drain=False),
            of_realtime,
            return_exceptions=True,
        )

    def fail(self) -> None:
        """Note that a bug of ours ends the call."""
        self._stop("internal_error")

    def _stop(self, reason: str) -> None:
        self._call.end_reason = reason

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._finish(task.exception())

    def _report_end(self) -> None:
        has_failed = self.reason.startswith(FAILURES)
        if has_failed or self.reason.startswith(ODD_ENDS):
            self._log.say(WARNING if has_failed else INFO, f"[CALL] Ended: {self.reason}")
        if self._journal is not None:
            state = self._call.state.name
            if self._link.dropped:
                self._performer.counts["frames dropped before the realtime socket"] = self._link.dropped
            self._journal.end({"reason": self.reason, "state": state, "counts": dict(self._performer.counts)})

    async def _write_twilio(self, socket: web.WebSocketResponse) -> None:
        try:
            await self._to_twilio.write_to(socket)
        except ConnectionError:
            self.end("twilio_lost")
