"""Checks of the scoring: one case written by hand, and what gates that do this or that are told about it.

The case: 20 s; replies at 3 to 9 s and at 12 to 16 s; the caller interrupts the first one at 6 s, for 1 s.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from attrs import evolve

from callfsm.hearing.mulaw import FRAME_MS

from .labels import Case, Noise, Reply, Span, Speech
from .score import Row, RowsError, Tally, score

LENGTH_MS: Final = 20_000
ONSET_MS: Final = 6000
OFFSET_MS: Final = 7000
FRAMES: Final = "ssww." * 10
SPEECH: Final = Speech(
    ONSET_MS, OFFSET_MS, "en/hello", "en", -26.0, 20.0, None, is_interruption=True, counts=True, frames=FRAMES
)
CASE: Final = Case(
    id="by-hand",
    half="tune",
    kind="noise",
    length_ms=LENGTH_MS,
    speech_dbfs=-26.0,
    assistant_dbfs=-20.0,
    noise=Noise("white", 200.0, 0),
    echo=None,
    background=None,
    noise_floor_rms=100.0,
    threshold_rms=160.0,
    speech=(SPEECH,),
    assistant=(Reply(3000, 9000, "assistant/00"), Reply(12_000, 16_000, "assistant/01")),
    steady=(Span(10_000, 11_000),),
    sounds=(),
)


def rows(
    stopped: Iterable[int] = (),
    confirmed: Iterable[int] = (),
    resumed: Iterable[int] = (),
    sent: Iterable[tuple[int, int]] = (),
) -> list[Row]:
    """Return the rows of the hand-written case: the frames that did something, and the stretches that were sent."""
    did = {"stopped": set(stopped), "confirmed": set(confirmed), "resumed": set(resumed)}
    stretches = tuple(sent)
    return [
        {
            "at_ms": at_ms,
            "sent": any(first <= at_ms < last for first, last in stretches),
            **{name: at_ms in times for name, times in did.items()},
        }
        for at_ms in range(0, LENGTH_MS, FRAME_MS)
    ]


def interruption_is_timed_from_its_onset() -> None:
    """A stop 40 ms after the onset took 40 ms; confirmed 500 ms after it; and it is no false one."""
    found = score(CASE, rows(stopped=[6040], confirmed=[6500]))
    assert (found.interruptions, found.stop_latencies_ms, found.confirm_latencies_ms) == (1, (40,), (500,))
    assert (found.false_stops, found.lost_replies, found.wrongly_resumed) == (0, 0, 0)
    assert found.assistant_ms == 10_000


def missed_interruption_has_no_latency() -> None:
    """Without a stop there is no latency; a stop long after the caller's end is a false one."""
    assert score(CASE, rows()).stop_latencies_ms == ()
    late = score(CASE, rows(stopped=[7120]))
    assert (late.interruptions, late.stop_latencies_ms, late.false_stops) == (1, (), 1)
    tail = score(CASE, rows(stopped=[7100]))
    assert (tail.stop_latencies_ms, tail.false_stops) == ((1100,), 0)


def early_stop_is_the_callers_to_60_ms() -> None:
    """60 ms ahead of the onset a stop is the caller's; 80 ms ahead it is false, though it silences."""
    early = score(CASE, rows(stopped=[5940]))
    assert (early.stop_latencies_ms, early.false_stops) == ((0,), 0)
    false = score(CASE, rows(stopped=[5920]))
    assert (false.stop_latencies_ms, false.false_stops) == ((0,), 1)


def false_stop_has_its_silence() -> None:
    """From a false stop to going on it is silent; nothing is lost, and the interruption is still to be obeyed."""
    found = score(CASE, rows(stopped=[4000, 6100], resumed=[4600]))
    assert (found.false_stops, found.silences_ms, found.lost_replies) == (1, (600,), 0)
    assert found.stop_latencies_ms == (100,)
    again = score(CASE, rows(stopped=[4000, 4200, 4700], resumed=[4600, 5300]))
    assert (again.false_stops, again.silences_ms) == (2, (600, 600))


def reply_is_lost_by_a_false_proof_or_for_want_of_an_end() -> None:
    """A false stop that is confirmed loses the reply; so does one that nothing ends, not even the caller."""
    assert score(CASE, rows(stopped=[4000], confirmed=[4300])).lost_replies == 1
    assert score(CASE, rows(stopped=[13_000])).lost_replies == 1
    assert score(CASE, rows(stopped=[13_000], resumed=[17_000])).lost_replies == 0
    assert score(CASE, rows(stopped=[5500], confirmed=[6300])).lost_replies == 0
    assert score(CASE, rows(stopped=[5500])).lost_replies == 0


def each_reply_begins_anew() -> None:
    """What was stopped in one reply does not silence the next."""
    found = score(CASE, rows(stopped=[4000, 13_000]))
    assert (found.false_stops, found.lost_replies) == (2, 1)


def resuming_into_speech_is_wrong() -> None:
    """Going on while the caller speaks is wrong; after the caller's end it is not."""
    assert score(CASE, rows(stopped=[6100], resumed=[6700])).wrongly_resumed == 1
    assert score(CASE, rows(stopped=[6100], resumed=[7000])).wrongly_resumed == 0


def speech_that_does_not_count_is_not_missed() -> None:
    """Speech too near to the noise asks for nothing, and a stop by it is not false."""
    case = evolve(CASE, speech=(evolve(SPEECH, counts=False),))
    found = score(case, rows(stopped=[6100]))
    assert (found.interruptions, found.false_stops, found.speech_frames) == (0, 0, 0)


def gate_in_noise_and_weak_frames_are_counted() -> None:
    """A steady stretch is open as far as it was sent; weak frames are clipped where they were not."""
    found = score(CASE, rows(sent=[(10_000, 10_250), (6000, 6500)]))
    assert (found.steady_ms[200], found.open_ms[200]) == (1000, 260)
    assert (found.weak_frames, found.weak_clipped) == (20, 10)
    assert (found.speech_frames, found.speech_clipped) == (40, 20)


def tallies_add_up() -> None:
    """Two cases together are the sum of both, nothing is added to nothing."""
    one = score(CASE, rows(stopped=[4000], resumed=[4600], sent=[(10_000, 10_500)]))
    both = one + one
    assert (both.interruptions, both.silences_ms, both.open_ms[200]) == (2, (600, 600), 1000)
    assert Tally() + one == one


def rows_must_fit_the_case() -> None:
    """Rows that are too few, lack a column or leave out a frame are refused, and the case is named."""
    whole = rows()
    lacking = [{name: value for name, value in row.items() if name != "resumed"} for row in whole]
    jumping = [*whole[:9], {**whole[9], "at_ms": 200}, *whole[10:]]
    assert _refusal(whole[1:]) == "by-hand: 999 rows for 1000 frames"
    assert _refusal(lacking) == "by-hand, row 0: has no resumed"
    assert _refusal(jumping) == "by-hand, row 9: at_ms is not 180 after the first row's"
    assert _refusal([{**row, "at_ms": row["at_ms"] + 20} for row in whole]) == ""


def _refusal(given: Sequence[Row]) -> str:
    try:
        score(CASE, given)
    except RowsError as error:
        return str(error)
    return ""


CHECKS: Final = (
    interruption_is_timed_from_its_onset,
    missed_interruption_has_no_latency,
    early_stop_is_the_callers_to_60_ms,
    false_stop_has_its_silence,
    reply_is_lost_by_a_false_proof_or_for_want_of_an_end,
    each_reply_begins_anew,
    resuming_into_speech_is_wrong,
    speech_that_does_not_count_is_not_missed,
    gate_in_noise_and_weak_frames_are_counted,
    tallies_add_up,
    rows_must_fit_the_case,
)
