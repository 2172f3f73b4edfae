"""Carrying out what the machine wants done: one effect is one message on a socket, a line, a count, or the end."""

from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from callfsm.effects import (
    AnswerTool,
    AppendAudio,
    CallTool,
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
    RenewSession,
    SendMark,
    TruncateItem,
)
from callfsm.server.gauges import CallGauges
from callfsm.server.link import RealtimeLink
from callfsm.server.logs import CallLog
from callfsm.server.outbox import Outbox
from callfsm.wire import realtime_out, twilio

MOST_KINDS: Final = 200
"""So many kinds of things are counted by name: a peer makes up the codes of its errors."""


class Performer:
    """One call's effects, carried out on its two legs and its log. Nothing here waits."""

    def __init__(
        self, encoder: twilio.Encoder, to_twilio: Outbox, link: RealtimeLink, log: CallLog, gauges: CallGauges
    ) -> None:
        self._encode = encoder.encode
        self._to_twilio = to_twilio
        self._link = link
        self._log = log
        self._gauges = gauges
        self.counts: Counter[str] = Counter()
        self._by_kind: Final[dict[type[Effect], Callable[[Any], None]]] = {
            PlayAudio: self._send_media,
            SendMark: self._send_media,
            ClearPlayback: self._clear,
            AppendAudio: self._append,
            CommitAudio: self._end_turn,
            CreateResponse: self._request,
            **dict.fromkeys(
                (ClearAudio, CancelResponse, TruncateItem, DeleteItem, CreateItem, AnswerTool), self._send
            ),
            RenewSession: self._renew,
            Log: self._write,
            Count: self._note,
        }

    def perform(self, effect: Effect) -> CallTool | EndCall | None:
        """Carry out an effect; return it where it is the session's own business."""
        if isinstance(effect, CallTool | EndCall):
            return effect
        self._by_kind[type(effect)](effect)
        return None

    def _send(self, effect: realtime_out.RealtimeEffect) -> None:
        self._link.send(realtime_out.encode(effect))

    def _append(self, effect: AppendAudio) -> None:
        self._link.send(realtime_out.encode(effect), audio=True)

    def _end_turn(self, effect: CommitAudio) -> None:
        self._gauges.turn_ended()
        self._ask(effect)

    def _request(self, effect: CreateResponse) -> None:
        self._gauges.requested()
        self._ask(effect)

    def _ask(self, effect: CommitAudio | CreateResponse) -> None:
        self._link.send(realtime_out.encode(effect), is_answered=True)

    def _renew(self, _effect: RenewSession) -> None:
        self._link.renew()

    def _send_media(self, effect: PlayAudio | SendMark) -> None:
        written = self._gauges.reply_written() if type(effect) is PlayAudio else None
        self._to_twilio.put(self._encode(effect), audio=True, written=written)

    def _clear(self, effect: ClearPlayback) -> None:
        self._to_twilio.replace_audio(self._encode(effect), written=self._gauges.clear_written())

    def _write(self, effect: Log) -> None:
        self._log.log(effect.level, effect.message)
        self._gauges.logged(effect.message)

    def _note(self, effect: Count) -> None:
        what = effect.what if effect.what in self.counts or len(self.counts) < MOST_KINDS else "other"
        self.counts[what] += 1
        self._gauges.noted(effect.what)
