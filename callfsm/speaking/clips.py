"""What the assistant says that no model has made: recordings of ours, or the operator's, in mid-call."""

from typing import Final

from attrs import frozen

from callfsm.speaking.playback import Piece

CLIP_ITEM: Final = "clip"
"""The item that a recording is, of which no conversation knows."""

_SILENCE: Final = Piece(CLIP_ITEM, b"")


@frozen
class Clip:
    """A recording, mu-law, and its words where they are known; an empty one is never played."""

    piece: Piece = _SILENCE
    words: str = ""


@frozen
class Clips:
    """The recordings of one server."""

    moment: Clip = Clip()
    """There is no session, and the caller is kept waiting."""
    warning: Clip = Clip()
    """The longest call is nearly over."""


NO_CLIPS: Final = Clips()
