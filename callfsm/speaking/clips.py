"""What the assistant says that no model has made: recordings of ours, or the operator's, in mid-call."""

from typing import Final

from attrs import frozen

from callfsm.speaking.playback import Piece

CLIP_ITEM: Final = "clip"
"""The item that a recording is, of which no conversation knows."""
NO_CLIP: Final = Piece(CLIP_ITEM, b"")


@frozen
class Clips:
    """The recordings of one server, mu-law; an empty one is never played."""

    moment: Piece = NO_CLIP
    """There is no session, and the caller is kept waiting."""
    warning: Piece = NO_CLIP
    """The longest call is nearly over."""


NO_CLIPS: Final = Clips()
