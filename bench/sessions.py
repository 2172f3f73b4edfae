"""The Realtime side of the load: a session that answers by rote, cheaply.

For callfsm it answers what it is told (commit, create, cancel). For the bare relay, which tells it nothing, it speaks
on the same schedule by itself.
"""

import asyncio
import base64
import json
import time
from typing import Any, Final

from wsframes import Peer, frame, server_handshake, unmasked

DELTA_MS: Final = 200
REPLY_MS: Final = 4000
FASTER_THAN_REAL_TIME: Final = 8
TRANSCRIPT_S: Final = 0.3
"""From the commit to its transcript."""
APPEND_BYTES: Final = len('{"type":"input_audio_buffer.append","audio":""}') + 216
"""The message that carries one frame of 20 ms; nothing else is as long, and it is counted unread."""
_PCMU: Final = {"format": {"type": "audio/pcmu"}}
_SESSION: Final = {"type": "realtime", "id": "sess_1", "audio": {"input": _PCMU, "output": _PCMU}}


def _deltas(number: int) -> list[bytes]:
    """Return the framed audio of one reply."""
    message = (
        '{"type":"response.output_audio.delta","event_id":"event_Cd0123456789abcdefghi","response_id":"resp_%d",'
        '"item_id":"item_r%d","output_index":0,"content_index":0,"delta":"%s"}'
    )
    audio = [base64.b64encode(bytes([128 + i]) * DELTA_MS * 8).decode() for i in range(REPLY_MS // DELTA_MS)]
    return [frame((message % (number, number, each)).encode(), masked=False) for each in audio]


class Session(Peer):
    """One Realtime session."""

    opened: "list[Session]" = []  # noqa: RUF012 - the process's own registry

    def __init__(self, speaks_after_s: float | None, every_s: float) -> None:
        super().__init__()
        self._speaks_after_s = speaks_after_s
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._number = 0
        self._items = 0
        self._speaking: asyncio.TimerHandle | None = None
        self.appends = 0
        self.first_append = b""
        self.wanted = -1
        """The append whose arrival is wanted, by its number, and when the caller wrote that frame."""
        self.written_at = 0.0
        self.passes: list[float] = []
        """Seconds from a frame's being written by the caller to its arrival here."""

    def upgraded(self, head: bytes) -> None:
        """Accept the connection and say what the API says first."""
        self.opened.append(self)
        self.transport.write(server_handshake(head))
        self.tell({"type": "session.created", "session": _SESSION})

    def tell(self, message: dict[str, Any]) -> None:
        """Send an event."""
        self.send(frame(json.dumps({"event_id": "event_C1", **message}).encode(), masked=False))

    def text(self, data: bytes, start: int, stop: int, mask: bytes) -> None:
        """Count the caller's audio, answer everything else."""
        if stop - start == APPEND_BYTES:
            self.appends += 1
            if self.appends == self.wanted:
                self.passes.append(time.perf_counter() - self.written_at)
            elif self.appends == 1:
                self.first_append = unmasked(data[start:stop], mask)
            return
        message = json.loads(unmasked(data[start:stop], mask))
        answer = getattr(self, "_" + message["type"].replace(".", "_"), None)
        if answer is not None:
            answer(message)

    def _session_update(self, _message: dict[str, Any]) -> None:
        self.tell({"type": "session.updated", "session": _SESSION})
        if self._speaks_after_s is not None:
            self._loop.call_later(self._speaks_after_s, self._speak_on_schedule)

    def _speak_on_schedule(self) -> None:
        if self.is_open:
            self._loop.call_later(self._every_s, self._speak_on_schedule)
            self._response_create({"response": {}})

    def _input_audio_buffer_commit(self, _message: dict[str, Any]) -> None:
        self._items += 1
        item_id = f"item_u{self._items}"
        self.tell({"type": "input_audio_buffer.committed", "item_id": item_id, "previous_item_id": None})
        kind = "conversation.item.input_audio_transcription.completed"
        done = {"type": kind, "item_id": item_id, "content_index": 0, "transcript": "שאלה"}
        self._loop.call_later(TRANSCRIPT_S, self.tell, done)

    def _response_create(self, message: dict[str, Any]) -> None:
        self._number += 1
        response = {"id": f"resp_{self._number}", "metadata": message["response"].get("metadata")}
        self.tell({"type": "response.created", "response": {**response, "status": "in_progress", "output": []}})
        self._speak(_deltas(self._number), 0, response)

    def _speak(self, deltas: list[bytes], at: int, response: dict[str, Any]) -> None:
        if at < len(deltas):
            self.send(deltas[at])
            wait_s = DELTA_MS / 1000 / FASTER_THAN_REAL_TIME
            self._speaking = self._loop.call_later(wait_s, self._speak, deltas, at + 1, response)
            return
        ids = {"response_id": response["id"], "item_id": f"item_r{self._number}"}
        self.tell({"type": "response.output_audio_transcript.done", **ids, "transcript": "תשובה קצרה ולעניין"})
        self._end(response, "completed")

    def _end(self, response: dict[str, Any], status: str) -> None:
        self._speaking = None
        output = [{"id": f"item_r{self._number}", "type": "message", "role": "assistant"}]
        self.tell({"type": "response.done", "response": {**response, "status": status, "output": output}})

    def _response_cancel(self, message: dict[str, Any]) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            self._end({"id": f"resp_{self._number}", "metadata": None}, "cancelled")
            return
        error = {"type": "invalid_request_error", "code": "response_cancel_not_active", "message": "not active"}
        self.tell({"type": "error", "error": {**error, "event_id": message.get("event_id")}})

    def _conversation_item_truncate(self, message: dict[str, Any]) -> None:
        self.tell({**message, "type": "conversation.item.truncated"})
