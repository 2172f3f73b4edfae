"""What is explored: two kinds of calls, each with every input in every order, on numbers that keep counting short.

The machine is the same for all numbers: guards compare with them and know no other. They are chosen so that each
limit can be met from below, at it and above, within a few frames.
"""

from typing import Final

from attrs import evolve, frozen

from callfsm.audit.verify.alphabet import inputs
from callfsm.audit.verify.explore import Explorer
from callfsm.audit.verify.inputs import NOISE
from callfsm.call import Call
from callfsm.config import Business, Config, GateConfig, Tool, TurnConfig
from callfsm.machine import Engine
from callfsm.speaking.clips import CLIP_ITEM, NO_CLIPS, Clip, Clips
from callfsm.speaking.playback import Piece

CONFIG: Final = Config(
    # Frames are offered on either side of the threshold wherever it is, so that it need not move.
    gate=GateConfig(calibration_ms=40, preroll_ms=20, hangover_ms=60, follow_factor=0, echo_factor=0),
    turn=TurnConfig(
        grace_ms=20,
        end_of_turn_ms=100,
        max_turn_ms=1000,
        min_speech_ms=40,
        confirm_voiced_ms=40,
        confirm_ms=60,
        most_continued=100,
    ),
)
SILENT: Final = Business()
GREETING: Final = Business(enable_greeting=True)
CLIP: Final = b"\x55" * 1600
SPOKEN: Final = Clip(Piece(CLIP_ITEM, CLIP))
CLIPS: Final = Clips(SPOKEN, SPOKEN)
WITH_TOOL: Final = Business(tool=(Tool(name="lookup", description="finds an order", url="https://shop.example/x"),))


@frozen
class Scope:
    """One exploration: the businesses that are called, the greeting of each as a recording, and the bound."""

    name: str
    constant: str
    """What it is called in this module."""
    businesses: tuple[tuple[Business, bytes], ...]
    most: int
    clips: Clips = NO_CLIPS

    def explorer(self, engine: Engine) -> Explorer:
        """Return what explores it."""
        starts = [
            Call.begin(CONFIG, business, greeting_clip=clip, clips=self.clips) for business, clip in self.businesses
        ]
        return Explorer(engine, starts, inputs(self.most))


TALK: Final = Scope("talk", "TALK", ((SILENT, b""), (GREETING, b""), (GREETING, CLIP)), 2)
"""Without a greeting, with one, and with a recorded one; two utterances on their way."""
TOOLS: Final = Scope(
    "talk, functions and keys", "TOOLS", ((WITH_TOOL, b""), (evolve(WITH_TOOL, enable_greeting=True), b"")), 1
)
"""The same, with one utterance on its way, and with functions, goodbyes and keys at any moment."""
ECHOES: Final = Scope("talk in noise and echo", "ECHOES", ((Business(name=NOISE, enable_greeting=True), b""),), 1)
"""The same, with one utterance on its way, and with made-up transcripts and the assistant's own words."""
RECORDINGS: Final = Scope("talk with recordings in mid-call", "RECORDINGS", ((SILENT, b""),), 1, CLIPS)
"""The same, with one utterance on its way, while the session is lost and call and session grow old."""
SCOPES: Final = (TALK, TOOLS, ECHOES, RECORDINGS)
