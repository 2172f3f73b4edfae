"""One call: two sockets, one timer, one machine. Everything of the call is started and ended here."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import aiohttp
from aiohttp import web

from callfsm.audit.journal import Journal
from callfsm.call import Call
from callfsm.effects import (
    AppendAudio,
    CancelResponse,
    ClearAudio,
    ClearPlayback,
    CommitAudio,
    Count,
    CreateItem,
    CreateResponse,
    DeleteItem,
    Effect,
    EndCall,
    Log,
    PlayAudio,
    SendMark,
    TruncateItem,
)
from callfsm.events import CallEnded, DtmfReceived, Event, PlaybackMarked, RmsFrame, TimerFired
from callfsm.machine import dispatch
from callfsm.server.gauges import CallGauges
from callfsm.server.link import RealtimeAddress, RealtimeLink
from callfsm.server.logs import CallLog
from callfsm.server.metrics import Metrics
from callfsm.server.outbox import Outbox, OutboxOverflowError
from callfsm.states.base import State
from callfsm.wire import realtime_out, twilio
from callfsm.wire.malformed import MalformedError

CLOSE_CODES: Final = {"shutdown": aiohttp.WSCloseCode.GOING_AWAY}
"""The close code of the media socket by the reason of the call's end; 1000 for every other."""
WAITING_BYTES: Final = 16 * 2**20
"""A reply of half an hour that the caller's side does not take is too much."""


class CallSession:
    """One live call between its two sockets."""

    def __init__(self, call: Call, start: twilio.Start, journal: Journal | None, metrics: Metrics) -> None:
        self._loop = asyncio.get_running_loop()
        self._call = call
        self._gauges = CallGauges(metrics)
        self._encode = twilio.Encoder(start.stream_sid).encode
        self._framer = twilio.Framer()
        self._journal = journal
        self._log = CallLog(start.start.call_sid)
        self._to_twilio = Outbox("twilio", WAITING_BYTES, drops_audio=False)
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf
        self._media_at = self._loop.time()
        self._media_watch: asyncio.TimerHandle
        self._over: asyncio.Future[None] = self._loop.create_future()
        self._link: RealtimeLink
        self.counts: Counter[str] = Counter()
        self._perform: Final[dict[type[Effect], Callable[[Any], None]]] = {
            PlayAudio: self._send_media,
            SendMark: self._send_media,
            ClearPlayback: self._clear,
            AppendAudio: lambda effect: self._link.send(realtime_out.encode(effect), audio=True),
            CommitAudio: self._end_turn,
            CreateResponse: self._request,
            **dict.fromkeys(
                (ClearAudio, CancelResponse, TruncateItem, DeleteItem, CreateItem),
                lambda effect: self._link.send(realtime_out.encode(effect)),
            ),
            Log: self._write_log,
            Count: self._note,
            EndCall: lambda _: self._finish(),
        }

    def _send_media(self, effect: PlayAudio | SendMark) -> None:
        written = self._gauges.reply_written() if type(effect) is PlayAudio else None
        self._to_twilio.put(self._encode(effect), audio=True, written=written)

    def _write_log(self, effect: Log) -> None:
        self._log.log(effect.level, effect.message)
        self._gauges.logged(effect.message)

    def _clear(self, effect: ClearPlayback) -> None:
        self._to_twilio.replace_audio(self._encode(effect), written=self._gauges.clear_written())

    def _end_turn(self, effect: CommitAudio) -> None:
        self._gauges.turn_ended()
        self._link.send(realtime_out.encode(effect))

    def _request(self, effect: CreateResponse) -> None:
        self._gauges.requested()
        self._link.send(realtime_out.encode(effect))

    def _note(self, effect: Count) -> None:
        self.counts[effect.what] += 1
        self._gauges.noted(effect.what)

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
        call = self._call
        source = call.state
        try:
            try:
                effects = dispatch(call, event)
            finally:
                # An event that meets a bug of ours is the one that the journal must not lack.
                if self._journal is not None:
                    self._journal.record(event, source, call.state)
            if call.moves:
                self._gauges.moved(call.moves)
            for effect in effects:
                self._perform[type(effect)](effect)
        except Exception as error:  # noqa: BLE001 - the one place to which bugs of ours propagate; run() reports it
            self._finish(error)
            return
        if call.deadline != self._timer_at:
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = self._call.deadline
        if self._timer_at < math.inf:
            self._timer = self._loop.call_at(self._timer_at, self._fire)

    def _fire(self) -> None:
        # The loop may call a little early; the deadline has passed all the same.
        self.feed(TimerFired(max(self._timer_at, self._loop.time())))

    def count(self, error: MalformedError) -> None:
        """Count a peer's malformed message; log its place once a call."""
        self.counts[error.place] += 1
        self._gauges.malformed(error)
        if self.counts[error.place] == 1:
            self._log.warning("[WIRE] %s", error.place)

    async def run(self, socket: web.WebSocketResponse, http: aiohttp.ClientSession, address: RealtimeAddress) -> None:
        """Carry the call from its start to its end; both legs are closed when this returns."""
        self._link = RealtimeLink(http, address, self._call.config.limits, self.feed, self.count)
        limit = self._loop.call_later(self._call.config.max_call_s, self.end, "max_call_s")
        self._watch_media()
        tasks = [
            asyncio.create_task(work)
            for work in (self._read_twilio(socket), self._write_twilio(socket), self._link.run())
        ]
        for task in tasks:
            task.add_done_callback(self._task_done)
        try:
            await self._over
        except OutboxOverflowError as error:
            self._stop(f"{error}_not_reading")
        except Exception:  # noqa: BLE001 - a bug of ours ends this call and no other
            self._log.exception("[BUG] The call is ended")
            self._stop("internal_error")
        finally:
            limit.cancel()
            self._media_watch.cancel()
            if self._timer is not None:
                self._timer.cancel()
            try:
                await self._close(socket, tasks)
            finally:
                self._close_journal()

    async def _close(self, socket: web.WebSocketResponse, tasks: list[asyncio.Task[None]]) -> None:
        *of_twilio, of_realtime = tasks
        for task in tasks:
            task.cancel()
        # A socket that is being read cannot be closed; the other leg closes itself meanwhile.
        await asyncio.gather(*of_twilio, return_exceptions=True)
        await asyncio.gather(
            socket.close(code=CLOSE_CODES.get(self.reason, aiohttp.WSCloseCode.OK), drain=False),
            of_realtime,
            return_exceptions=True,
        )

    def _watch_media(self) -> None:
        limit_s = self._call.config.limits.no_media_s
        quiet_s = self._loop.time() - self._media_at
        if quiet_s >= limit_s:
            self.end("no_media")
        else:
            self._media_watch = self._loop.call_later(limit_s - quiet_s, self._watch_media)

    def _stop(self, reason: str) -> None:
        self._call.end_reason = reason

    def _task_done(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._finish(task.exception())

    def _close_journal(self) -> None:
        if self._journal is not None:
            state = self._call.state.name
            if self._link.dropped:
                self.counts["frames dropped before the realtime socket"] = self._link.dropped
            self._journal.end({"reason": self.reason, "state": state, "counts": dict(self.counts)})

    async def _write_twilio(self, socket: web.WebSocketResponse) -> None:
        try:
            await self._to_twilio.write_to(socket)
        except ConnectionError:
            self.end("twilio_lost")

    async def _read_twilio(self, socket: web.WebSocketResponse) -> None:
        while self._call.state is not State.ENDED:
            message = await socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self._take(message.data)
            elif message.type is aiohttp.WSMsgType.BINARY:
                self.count(MalformedError("twilio message: not text"))
            elif message.type is aiohttp.WSMsgType.ERROR:
                self.end("twilio_broke_protocol")
            else:
                self.end("twilio_lost")

    def _take(self, text: str) -> None:
        at = self._loop.time()
        try:
            match twilio.decode(text):
                case twilio.Media(media):
                    if not media.track.startswith("inbound"):
                        self.count(MalformedError("twilio media: not the caller's track"))
                        return
                    self._media_at = at
                    for rms, payload in self._framer.frames(media.payload):
                        self._gauges.frame_arrived()
                        self.feed(RmsFrame(at, rms, payload))
                        self._gauges.heard(self._call)
                case twilio.MarkEchoed(mark):
                    self.feed(PlaybackMarked(at, mark.name))
                case twilio.Dtmf(dtmf):
                    self.feed(DtmfReceived(at, dtmf.digit))
                case twilio.Stop():
                    self.feed(CallEnded(at, "hangup"))
                case twilio.Start() | twilio.Connected():
                    self.count(MalformedError("twilio start: the stream has started already"))
        except MalformedError as error:
            self.count(error)
