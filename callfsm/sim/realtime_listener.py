"""The simulated Realtime server's ear: the input audio buffer, and what committed audio is transcribed to."""

import base64
import math
from collections.abc import Iterator
from typing import Final

import attrs

from callfsm.hearing.mulaw import SAMPLE_RATE_HZ
from callfsm.sim.realtime_connection import Connection
from callfsm.sim.realtime_conversation import Item
from callfsm.sim.realtime_script import Fault, Utterance
from callfsm.sim.realtime_wire import RefusedError

_MIN_COMMIT_MS: Final = 100
_BYTES_PER_MS: Final = {"audio/pcm": 48, "audio/pcmu": 8, "audio/pcma": 8}
_TRANSCRIPTION: Final = "conversation.item.input_audio_transcription"


@attrs.define(eq=False)
class Listener:
    """Takes the caller's audio, and transcribes it by the script."""

    _connection: Connection
    _utterances: Iterator[Utterance] = attrs.field(init=False)

    @_utterances.default
    def _scripted(self) -> Iterator[Utterance]:
        return iter(self._connection.script.utterances)

    def append(self, audio: str) -> None:
        """Add base64 audio to the buffer."""
        try:
            self._connection.input_audio += base64.b64decode(audio, validate=True)
        except ValueError:
            raise RefusedError("invalid_value", "Invalid 'audio': it is no base64.", "audio") from None

    async def clear(self) -> None:
        """Empty the buffer."""
        self._connection.input_audio.clear()
        await self._connection.send("input_audio_buffer.cleared")

    async def commit(self) -> None:
        """Make the buffer a message of the user, and start to transcribe it."""
        connection = self._connection
        audio_format = connection.session["audio"]["input"]["format"]["type"]
        audio_ms = len(connection.input_audio) / _BYTES_PER_MS[audio_format]
        if audio_ms < _MIN_COMMIT_MS:
            raise RefusedError(
                "input_audio_buffer_commit_empty",
                "Error committing input audio buffer: buffer too small. Expected at least "
                f"{_MIN_COMMIT_MS}ms of audio, but buffer only has {audio_ms:.2f}ms of audio.",
            )
        item = Item(connection.conversation.new_id(), "user", "input_audio", audio=connection.input_audio)
        connection.input_audio = bytearray()
        previous_id = connection.conversation.add(item)
        await connection.send("input_audio_buffer.committed", previous_item_id=previous_id, item_id=item.id)
        await connection.announce(item, previous_id)
        utterance = next(self._utterances, connection.script.default_utterance)
        connection.start(self._transcribe(item, utterance))

    async def _transcribe(self, item: Item, utterance: Utterance) -> None:
        connection = self._connection
        is_off = connection.session["audio"]["input"]["transcription"] is None
        if is_off or utterance.never or Fault.NO_TRANSCRIPT in connection.script.faults:
            return
        await connection.pause(utterance.delay_ms)
        part = {"item_id": item.id, "content_index": 0}
        if utterance.fail:
            message = "The audio could not be transcribed."
            error = {"type": "server_error", "code": "audio_unintelligible", "message": message, "param": None}
            await connection.send(f"{_TRANSCRIPTION}.failed", **part, error=error)
            return
        item.text = utterance.text
        for word in utterance.text.split():
            await connection.send(f"{_TRANSCRIPTION}.delta", **part, delta=f"{word} ")
        usage = {"type": "duration", "seconds": math.ceil(len(item.audio) / SAMPLE_RATE_HZ)}
        await connection.send(f"{_TRANSCRIPTION}.completed", **part, transcript=utterance.text, usage=usage)
