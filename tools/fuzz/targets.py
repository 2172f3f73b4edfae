"""The targets by name, which of them read JSON, and how long an input is worth its time."""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from . import calls, codecs


@frozen
class Target:
    """A function that takes any bytes and raises where something is wrong."""

    name: str
    run: Callable[[bytes], None]
    is_json: bool = False
    most_bytes: int = 4096


TARGETS: Final = {
    target.name: target
    for target in (
        Target("twilio", codecs.twilio_messages, is_json=True),
        Target("realtime", codecs.realtime_messages, is_json=True),
        Target("redaction", codecs.redaction_of_text, most_bytes=600),
        Target("wav", codecs.wav_file, most_bytes=600),
        Target("journal", codecs.journal_lines, is_json=True),
        Target("call", calls.call_under_laws, most_bytes=200),
        Target("session", calls.session_of_any_peers, is_json=True, most_bytes=20_000),
    )
}
