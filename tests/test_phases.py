"""The small machines beside the main one: the legal moves as the design means them, and no others."""

from enum import Enum

import pytest

from callfsm.hearing.turn import TURN, Turn, TurnInput, TurnPhase
from callfsm.phases import IllegalMoveError, PhaseTable
from callfsm.speaking.playback import PLAYBACK, Piece, Playback, PlaybackInput, PlaybackPhase
from callfsm.speaking.response import OWED, RESPONSE, Owed, OwedInput, Response, ResponseInput, ResponsePhase

TABLES = (TURN, RESPONSE, OWED, PLAYBACK)
PHASES = {"turn": TurnPhase, "response": ResponsePhase, "owed": Owed, "playback": PlaybackPhase}
INPUTS = {"turn": TurnInput, "response": ResponseInput, "owed": OwedInput, "playback": PlaybackInput}

LEGAL = {
    "turn": """
        SILENT     SPEECH_STARTED          SPEAKING
        SPEAKING   BLIP_DROPPED            SILENT
        SPEAKING   BLIP_DROPPED_UNSETTLED  UNSETTLED
        SPEAKING   COMMITTED               UNSETTLED
        UNSETTLED  SPEECH_STARTED          SPEAKING
        UNSETTLED  LAST_SETTLED            SILENT
    """,
    "response": """
        NONE        REQUESTED  REQUESTED
        NONE        CANCELLED  CANCELLING
        NONE        OVER       NONE
        REQUESTED   CREATED    ACTIVE
        REQUESTED   CANCELLED  OVERTAKEN
        REQUESTED   REFUSED    BLOCKED
        REQUESTED   OVER       NONE
        ACTIVE      CANCELLED  CANCELLING
        ACTIVE      OVER       NONE
        OVERTAKEN   CREATED    CANCELLING
        OVERTAKEN   OVER       NONE
        CANCELLING  OVER       NONE
        BLOCKED     OVER       NONE
    """,
    "owed": """
        NOTHING   ACCEPTED          REPLY
        NOTHING   GREETING_UNHEARD  GREETING
        NOTHING   REPLY_UNHEARD     REPLY
        NOTHING   INTERRUPTED       REST
        NOTHING   RESUMED           NOTHING
        NOTHING   FORGONE           NOTHING
        GREETING  ACCEPTED          REPLY
        GREETING  REQUESTED         NOTHING
        REPLY     ACCEPTED          REPLY
        REPLY     REQUESTED         NOTHING
        REPLY     REPLY_UNHEARD     REPLY
        REPLY     INTERRUPTED       REPLY
        REPLY     RESUMED           REPLY
        REPLY     FORGONE           REPLY
        REST      ACCEPTED          REPLY
        REST      REQUESTED         NOTHING
        REST      REPLY_UNHEARD     REPLY
        REST      INTERRUPTED       REST
        REST      RESUMED           NOTHING
        REST      FORGONE           NOTHING
    """,
    "playback": """
        IDLE     HOLD        HELD
        IDLE     PLAY        PLAYING
        IDLE     STOP        IDLE
        HELD     HOLD        HELD
        HELD     PLAY        PLAYING
        HELD     STOP        IDLE
        PLAYING  PLAY        PLAYING
        PLAYING  ALL_MARKED  HEARD
        PLAYING  PAUSE       PAUSED
        PLAYING  STOP        IDLE
        HEARD    PLAY        PLAYING
        HEARD    PAUSE       PAUSED
        HEARD    STOP        IDLE
        PAUSED   KEEP        PAUSED
        PAUSED   PLAY        PLAYING
        PAUSED   STOP        IDLE
    """,
}


def legal(name: str) -> dict[tuple[str, str], str]:
    lines = [line.split() for line in LEGAL[name].strip().splitlines()]
    return {(phase, by): to for phase, by, to in lines}


ILLEGAL = [
    pytest.param(table, phase, by, id=f"{table.name}: {by.name} in {phase.name}")
    for table in TABLES
    for phase in PHASES[table.name]
    for by in INPUTS[table.name]
    if (phase.name, by.name) not in legal(table.name)
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_legal_moves(table: "PhaseTable[Enum, Enum]") -> None:
    moves = {(phase.name, by.name): to.name for phase, row in table.moves.items() for by, to in row.items()}

    assert legal(table.name) == moves


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_phase_has_its_row(table: "PhaseTable[Enum, Enum]") -> None:
    assert list(PHASES[table.name]) == list(table.moves)


@pytest.mark.parametrize(("table", "phase", "by"), ILLEGAL)
def test_an_illegal_move_raises(table: "PhaseTable[Enum, Enum]", phase: Enum, by: Enum) -> None:
    with pytest.raises(IllegalMoveError, match=f"^{table.name}: {by.name} in {phase.name}$"):
        table.move(phase, by)


def test_an_illegal_move_of_the_turn_changes_nothing() -> None:
    turn = Turn()
    with pytest.raises(IllegalMoveError):
        turn.drop()

    assert TurnPhase.SILENT is turn.phase
    assert turn.open is None


def test_an_illegal_move_of_the_response_changes_nothing() -> None:
    response = Response()
    with pytest.raises(IllegalMoveError):
        response.move(ResponseInput.CREATED)

    assert ResponsePhase.NONE is response.phase


def test_an_illegal_move_of_the_debt_changes_nothing() -> None:
    response = Response()
    with pytest.raises(IllegalMoveError):
        response.owe(OwedInput.REQUESTED)

    assert (Owed.NOTHING, 0) == (response.owed, response.continued)


def test_an_illegal_move_of_the_playback_changes_nothing() -> None:
    playback = Playback()
    list(playback.play(1.0, Piece("a1", bytes(80))))
    with pytest.raises(IllegalMoveError):
        playback.hold(Piece("a1", bytes(80)))

    assert PlaybackPhase.PLAYING is playback.phase
    assert [] == playback.held
