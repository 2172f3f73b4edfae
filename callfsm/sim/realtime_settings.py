"""The settings of a Realtime session and of one response, as types: what does not fit them is refused.

Updates are partial, hence the UNSET defaults; settings that the simulator does not look into are Any.
"""

import time
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

_GROUPS: Final = frozenset({"audio", "input", "output"})
_SESSION_MAX_S: Final = 3600


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A JSON object that may hold the declared fields only."""


class Pcm(Strict, tag="audio/pcm"):
    """16-bit linear PCM, at the one rate there is."""

    rate: Literal[24000]


class Pcmu(Strict, tag="audio/pcmu"):
    """G.711 mu-law."""


class Pcma(Strict, tag="audio/pcma"):
    """G.711 A-law."""


Format = Pcm | Pcmu | Pcma


class Transcription(Strict):
    """How committed audio is transcribed."""

    model: str | UnsetType = UNSET
    language: str | UnsetType = UNSET
    languages: list[str] | UnsetType = UNSET
    keywords: list[str] | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    delay: Any = UNSET


class NoiseReduction(Strict):
    """Cleaning of the input audio."""

    type: Literal["near_field", "far_field"]
    strength: float | UnsetType = UNSET


class ServerVad(Strict, tag="server_vad"):
    """Turns by energy."""

    threshold: float | UnsetType = UNSET
    prefix_padding_ms: int | UnsetType = UNSET
    silence_duration_ms: int | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET
    idle_timeout_ms: int | UnsetType | None = UNSET


class SemanticVad(Strict, tag="semantic_vad"):
    """Turns by meaning."""

    eagerness: Literal["low", "medium", "high", "auto"] | UnsetType = UNSET
    create_response: bool | UnsetType = UNSET
    interrupt_response: bool | UnsetType = UNSET


class AudioInput(Strict):
    """`session.audio.input`."""

    format: Format | UnsetType = UNSET
    transcription: Transcription | UnsetType | None = UNSET
    noise_reduction: NoiseReduction | UnsetType | None = UNSET
    turn_detection: ServerVad | SemanticVad | UnsetType | None = UNSET


class VoiceId(Strict):
    """A custom voice."""

    id: str


class AudioOutput(Strict):
    """`session.audio.output`."""

    format: Format | UnsetType = UNSET
    voice: str | VoiceId | UnsetType = UNSET
    speed: Annotated[float, Meta(ge=0.25, le=1.5)] | UnsetType = UNSET


class Audio(Strict):
    """`session.audio`."""

    input: AudioInput | UnsetType = UNSET
    output: AudioOutput | UnsetType = UNSET


Modalities = Annotated[list[Literal["audio", "text"]], Meta(min_length=1, max_length=1)]
Metadata = Annotated[
    dict[Annotated[str, Meta(max_length=64)], Annotated[str, Meta(max_length=512)]], Meta(max_length=16)
]
MaxTokens = Annotated[int, Meta(ge=1, le=4096)] | Literal["inf"]


class _Generation(Strict):
    """What a session sets for every response, and a request for its own."""

    audio: Audio | UnsetType = UNSET
    instructions: str | UnsetType = UNSET
    max_output_tokens: MaxTokens | UnsetType = UNSET
    output_modalities: Modalities | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    prompt: Any = UNSET
    reasoning: Any = UNSET
    tool_choice: Any = UNSET
    tools: list[Any] | UnsetType = UNSET


class Session(_Generation, kw_only=True):
    """The `session` of a `session.update`."""

    type: Literal["realtime"]
    model: str | UnsetType = UNSET
    include: list[str] | UnsetType | None = UNSET
    tracing: Any = UNSET
    truncation: Any = UNSET


class ResponseRequest(_Generation):
    """The `response` of a `response.create`, on the default conversation."""

    conversation: Literal["auto"] | UnsetType = UNSET
    input: list[Any] | UnsetType = UNSET
    metadata: Metadata | None = None


def initial_session(session_id: str, model: str) -> dict[str, Any]:
    """Return the session as session.created shows it: the API's defaults, which no telephone can use."""
    pcm = {"type": "audio/pcm", "rate": 24000}
    turn_detection = {
        "type": "server_vad",
        "threshold": 0.5,
        "prefix_padding_ms": 300,
        "silence_duration_ms": 200,
        "create_response": True,
        "interrupt_response": True,
        "idle_timeout_ms": None,
    }
    return {
        "type": "realtime",
        "object": "realtime.session",
        "id": session_id,
        "model": model,
        "expires_at": int(time.time()) + _SESSION_MAX_S,
        "output_modalities": ["audio"],
        "instructions": "",
        "max_output_tokens": "inf",
        "audio": {
            "input": {
                "format": pcm,
                "transcription": None,
                "noise_reduction": None,
                "turn_detection": turn_detection,
            },
            "output": {"format": pcm, "voice": "marin", "speed": 1.0},
        },
        "tools": [],
        "tool_choice": "auto",
        "truncation": "auto",
        "tracing": None,
    }


def merged(session: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    """Return the session after a partial update: groups are merged, every other value is replaced as a whole."""
    return session | {key: merged(session[key], value) if key in _GROUPS else value for key, value in update.items()}
