"""The assistant's voice: played, held back, marked, heard to its end, or stopped."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from callfsm.effects import WARNING, ClearPlayback, Count, CreateItem, PlayAudio, SendMark, TruncateItem
from callfsm.events import AudioDelta, Event, PlaybackMarked, ReplyTranscript, RmsFrame
from callfsm.hearing.mulaw import BYTES_PER_MS, FRAME_MS
from callfsm.hearing.turn import TurnPhase
from callfsm.speaking.clips import CLIP_ITEM, Clip
from callfsm.speaking.language import MIN_HEBREW_SHARE, hebrew_share
from callfsm.speaking.playback import LOST_MARK_S, Mark, Piece, PlaybackPhase
from callfsm.speaking.response import Owed, OwedInput, ResponsePhase
from callfsm.states.base import Transition as T
from callfsm.states.responses import response_over

if TYPE_CHECKING:
    from callfsm.call import Call

MOST_WORDS = 10_000
"""So many characters are remembered of a reply, and more than any reply has."""

# Guards


def is_caller_speaking(call: "Call", _event: Event) -> bool:
    """An utterance of the caller is open."""
    return call.turn.phase is TurnPhase.SPEAKING


def is_speech_proven(call: "Call", _event: AudioDelta) -> bool:
    """The open utterance is no blip: it has min_speech_ms of loud frames."""
    return call.turn.utterance.loud_ms >= call.config.turn.min_speech_ms


def is_held_back(call: "Call", _event: Event) -> bool:
    """Audio of our reply is here and has not been sent to the caller."""
    return call.playback.phase is PlaybackPhase.HELD


def is_proving_speech(call: "Call", _frame: RmsFrame) -> bool:
    """With this loud frame the open utterance is no blip."""
    utterance = call.turn.open
    return utterance is not None and utterance.loud_ms + FRAME_MS >= call.config.turn.min_speech_ms


def is_unheard_reply(call: "Call", _event: Event) -> bool:
    """A response is in flight or held back."""
    in_flight = call.response.phase in (ResponsePhase.REQUESTED, ResponsePhase.ACTIVE)
    return in_flight or call.playback.phase is PlaybackPhase.HELD


def is_all_heard(call: "Call", _event: Event) -> bool:
    """The mark behind the last byte that was sent has been echoed."""
    return call.playback.phase is PlaybackPhase.HEARD


def is_stray_mark(call: "Call", event: PlaybackMarked) -> bool:
    """The mark is cleared, echoed already, or not ours."""
    return call.playback.pending_mark(event.name) is None


def is_final_mark(call: "Call", event: PlaybackMarked) -> bool:
    """The mark stands behind the last byte, and no more will come."""
    mark = call.playback.pending_mark(event.name)
    over = call.response.phase is not ResponsePhase.ACTIVE
    return mark is not None and mark.at_byte == call.playback.sent and over


def is_words_of_reply(call: "Call", event: ReplyTranscript) -> bool:
    """The words are those of the reply in hand."""
    return event.response_id == call.response.response_id


def is_foreign_language(_call: "Call", event: ReplyTranscript) -> bool:
    """Less than half of the letters are Hebrew."""
    return hebrew_share(event.transcript) < MIN_HEBREW_SHARE


def is_piece_unfinished(_call: "Call", event: ReplyTranscript) -> bool:
    """More words of the same piece will come."""
    return not event.is_whole


def has_greeting_clip(call: "Call", _event: Event) -> bool:
    """The greeting is a recording."""
    return bool(call.greeting_clip)


# Actions


def send_audio(call: "Call", parts: Iterable[bytes | Mark]) -> None:
    """Send audio and marks to the caller."""
    for part in parts:
        call.effects.append(SendMark(part.name) if isinstance(part, Mark) else PlayAudio(part))


def speak(call: "Call", parts: Iterable[bytes | Mark]) -> None:
    """Send audio and marks of a response to the caller: what was owed has not come to nothing."""
    send_audio(call, parts)
    call.response.failures = 0


def piece_of(delta: AudioDelta) -> Piece:
    """Return a delta's audio as the playback takes it."""
    return Piece(delta.item_id, delta.audio, delta.levels_rms)


def play(call: "Call", delta: AudioDelta) -> None:
    """Send the audio to the caller, a mark behind every 200 ms of it."""
    speak(call, call.playback.play(delta.at, piece_of(delta)))


def play_recording(call: "Call", event: Event, kind: Owed, clip: Clip) -> None:
    """Play a recording as the assistant's speech; nothing is generated, and the session does not know it."""
    call.response.kind = kind
    call.response.response_id = None
    call.reply_transcript, call.reply_words = clip.words, ""
    call.is_reply_unknown = True
    call.response.is_cut = False
    call.cut.clear()
    send_audio(call, call.playback.play(event.at, clip.piece))
    mark_end(call, event)


def play_clip(call: "Call", event: Event) -> None:
    """Play the greeting's recording, word for word, as the assistant's speech; nothing is generated."""
    call.response.owe(OwedInput.REQUESTED)
    piece = Piece(CLIP_ITEM, call.greeting_clip, call.greeting_levels_rms)
    play_recording(call, event, Owed.GREETING, Clip(piece, call.business.greeting))


def hold_back(call: "Call", delta: AudioDelta) -> None:
    """Keep the audio back while a sound of the caller may still grow into speech."""
    call.playback.hold(piece_of(delta))


def play_held(call: "Call", event: Event) -> None:
    """Send the audio that was kept back."""
    held = call.playback.held.copy()
    call.playback.held.clear()
    for piece in held:
        speak(call, call.playback.play(event.at, piece))
    mark_end(call, event)


def mark_end(call: "Call", event: Event) -> None:
    """Send a mark behind the last byte."""
    call.effects += [SendMark(mark.name) for mark in call.playback.last_marks(event.at)]


def generation_over(call: "Call", event: Event) -> None:
    """Nothing more will come: send a mark behind the last byte."""
    response_over(call, event)
    mark_end(call, event)


def confirm_mark(call: "Call", event: PlaybackMarked) -> None:
    """Take the echoed mark as proof that all before it has been heard."""
    mark = call.playback.pending_mark(event.name)
    assert mark is not None  # noqa: S101 - the row before has taken every stray mark
    call.playback.confirm(event.at, mark)


def finish_playback(call: "Call", event: Event) -> None:
    """The caller has heard the reply, or what there is of it; note its words, and tell a session that knows no reply."""
    call.cut = call.playback.stop(event.at)
    received = sum(item.received for item in call.cut)
    heard = sum(item.heard for item in call.cut)
    # What is announced in mid-call is no turn of the conversation.
    is_turn = received and call.response.kind is not Owed.NOTHING
    words = call.words_of_reply[: len(call.words_of_reply) * heard // received] if is_turn else ""
    if words:
        call.tell_history("assistant", words)
    if call.is_reply_unknown:
        call.is_reply_unknown = False
        call.cut = []
        if words:
            call.tell_realtime(CreateItem("assistant", words))


def stop_playback(call: "Call", event: Event) -> None:
    """Freeze the playback estimate; clear what the caller has not heard, ahead of everything."""
    call.effects.append(ClearPlayback())
    finish_playback(call, event)


def truncate_heard(call: "Call", _event: Event) -> None:
    """Truncate the item that the caller heard a part of to that part."""
    for item in call.cut:
        audio_end_ms = item.heard // BYTES_PER_MS
        if audio_end_ms > 0 and item.heard < item.received:
            call.tell_realtime(TruncateItem(item.item_id, audio_end_ms))


def note_words(call: "Call", event: ReplyTranscript) -> None:
    """Remember the words of a finished piece of the reply."""
    call.reply_transcript = (call.reply_transcript + event.transcript)[:MOST_WORDS]
    call.reply_words = ""


def note_next_words(call: "Call", event: ReplyTranscript) -> None:
    """Remember words of the reply as they come."""
    call.reply_words = (call.reply_words + event.transcript)[:MOST_WORDS]


def flag_language(call: "Call", event: ReplyTranscript) -> None:
    """Log that the reply is not Hebrew; the next request carries a reminder."""
    call.needs_reminder = True
    share = hebrew_share(event.transcript)
    call.log(WARNING, f"[LANGUAGE] Reply is not Hebrew, share={share:.2f}")
    call.effects.append(Count("reply_not_hebrew"))


def note_stray_mark(call: "Call", _event: PlaybackMarked) -> None:
    """Count a mark that proves nothing."""
    call.effects.append(Count("stray_mark"))


# Deadlines


def grace_deadline(call: "Call") -> float:
    """grace_ms after the first audio was sent."""
    return call.playback.started_at + call.config.turn.grace_ms / 1000


def playback_deadline(call: "Call") -> float:
    """1 s after the estimated end, when the last mark is lost; while more may come, reply_timeout_ms after it."""
    if call.response.phase is ResponsePhase.ACTIVE:
        return call.playback.ends_at + call.config.turn.reply_timeout_ms / 1000
    return call.playback.ends_at + LOST_MARK_S


# Rows
# fmt: off
WORDS = (
    T(ReplyTranscript, None, (is_words_of_reply, is_piece_unfinished), (note_next_words,)),
    T(ReplyTranscript, None, (is_words_of_reply, is_foreign_language), (note_words, flag_language)),
    T(ReplyTranscript, None, (is_words_of_reply,), (note_words,)),
    T(ReplyTranscript, None),
)
# fmt: on
