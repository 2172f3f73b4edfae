"""All inputs that exploration feeds in every order, but for the clock's.

Some are bounded, so that there are finitely many configurations: at most so many utterances without a verdict or a
name (of two there is an oldest and a newest; rows ask for no more), a piece of a reply with a mark and a tail behind
it, and one open function.
"""

from callfsm.audit.verify.caller import WEAK, sounds
from callfsm.audit.verify.inputs import Input
from callfsm.audit.verify.peers import MESSAGES, TAIL, TRANSCRIPTS


def inputs(most: int) -> tuple[Input, ...]:
    """Return all inputs; `most` utterances may be on their way, and as many pieces of a reply."""
    tails = [TAIL] if most > 1 else []
    return (*WEAK, *sounds(most), *TRANSCRIPTS, *tails, *MESSAGES)
