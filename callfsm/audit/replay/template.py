"""The text around the rows of a recorded call that is printed as a test."""

from typing import Final

TEST: Final = '''\
"""The call {call_sid} of {started}, as its journal has it.

Written by `callfsm replay --as-test`. What the caller said stands in it as it was said.
"""

from collections.abc import Sequence

{imports}

Row = tuple[Sequence[Event], State, Sequence[Effect]]

CONFIG = Config(
    gate={gate},
    turn={turn},
    limits={limits},
)
BUSINESS = {business}
{levels}

def heard(*times_and_rms: float) -> list[Event]:
    """The caller's frames: the time of each, and its RMS."""
    return [RmsFrame(at, rms) for at, rms in zip(times_and_rms[::2], times_and_rms[1::2], strict=True)]


def voiced(*times_rms_and_voicing: float) -> list[Event]:
    """The caller's frames: the time of each, its RMS, and how voiced it is."""
    numbers = times_rms_and_voicing
    return [
        RmsFrame(at, rms, voicing=voicing)
        for at, rms, voicing in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
    ]


def audio(count: int) -> bytes:
    """So many bytes of mu-law: a journal tells how long a sound was and not how it sounded."""
    return b"\\xff" * count


def shown(effects: list[Effect]) -> list[Effect]:
    """All effects but the gate's lines; of instructions, only that there are any."""
    return [
        CreateResponse(effect.event_id, effect.turn, effect.instructions and "...")
        if isinstance(effect, CreateResponse)
        else effect
        for effect in effects
        if not (isinstance(effect, Log) and effect.message.startswith("{gate_line}"))
    ]


# What happens, the state afterwards, what is done. The comments are seconds from the start of the call.
# fmt: off
CALL: list[Row] = [
{rows}
]
# fmt: on


def test_{name}() -> None:
    call = Call.begin(CONFIG, BUSINESS, greeting_clip=audio({greeting_clip_bytes}){levels_rms})
    for number, (events, state, effects) in enumerate(CALL, 1):
        done = [effect for event in events for effect in dispatch(call, event)]

        assert (number, state, list(effects)) == (number, call.state, shown(done))
'''
LEVELS: Final = '''
LEVELS = (
{levels}
)
"""How loud each 20 ms of the recording are that greets."""
'''
