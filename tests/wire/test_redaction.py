"""Private data struck out: what is, what is not, and that no cut of the words lets any of it through."""

import json
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callfsm.config_checks import REDACTABLE
from callfsm.events import (
    DtmfReceived,
    Event,
    ReplyTranscript,
    ToolAnswered,
    ToolCalled,
    TranscriptCompleted,
)
from callfsm.wire.private_numbers import ORDER
from callfsm.wire.realtime import decode
from callfsm.wire.redaction import MAX_CHARACTERS, MAX_KEPT_BACK, MAX_PIECES, Redaction, redaction_of

ALL: Final = Redaction(REDACTABLE)
END: Final = "\x00"
"""No number and no address goes on behind it."""

# fmt: off
STRUCK_OUT = [
    # Telephone numbers, as Israelis write them
    ("050-1234567", "[phone]"), ("0501234567", "[phone]"), ("050 123 45 67", "[phone]"), ("050.123.4567", "[phone]"),
    ("050/1234567", "[phone]"), ("05-01-23-45-67", "[phone]"), ("0 5 0 1 2 3 4 5 6 7", "[phone]"),
    ("0,5,0,1,2,3,4,5,6,7", "[phone]"), ("050, 123, 4567", "[phone]"), ("03-6123456", "[phone]"), ("(03) 6123456", "[phone]"),
    ("(050-1234567)", "([phone])"), ("077-1234567", "[phone]"), ("1-700-123-456", "[phone]"), ("1800123456", "[phone]"),
    ("+972 (0)50-123-4567", "[phone]"), ("(+972) 50 1234567", "[phone]"), ("972501234567", "[phone]"), ("+97231234567", "[phone]"),
    ("00972-50-1234567", "[phone]"), ("моб. +380 44 123 4567", "моб. [phone]"), ("+44 20 7946 0958", "[phone]"), ("+1 (212) 555-0123", "[phone]"),
    ("+687 20.12.34", "[phone]"), ("(+44 20 7946 0958", "([phone]"),
    ("המספר שלי הוא 050-1234567, תודה", "המספר שלי הוא [phone], תודה"), ("מ-03-6123456 עד 15:30", "מ-[phone] עד 15:30"),
    ("קומה 3. 050-1234567", "קומה 3. [phone]"), ("בשעה 9:30 050-1234567", "בשעה 9:30 [phone]"),
    ("050-1234567 052-7654321", "[phone] [phone]"),
    # Arabic and Persian digits, marks of direction, dashes, blanks
    ("رقمي ٠٥٠-١٢٣ ٤٥٦٧", "رقمي [phone]"), ("۰۵۰۱۲۳۴۵۶۷", "[phone]"),
    ("\u200e050\u200f-123\u20664567\u2069", "\u200e[phone]\u2069"), ("\u202b05\u202a0\u202c-1234567", "\u202b[phone]"),
    ("050\u20111234567", "[phone]"), ("050–1234567", "[phone]"), ("050־1234567", "[phone]"), ("050\u00a0123\u202f4567", "[phone]"),
    # Cards
    ("4111 1111 1111 1111", "[card]"), ("4111-1111-1111-1111 12/27", "[card] 12/27"), ("4111, 1111, 1111, 1111", "[card]"),
    ("4111111111111111", "[card]"), ("3782 822463 10005", "[card]"), ("3782, 822463, 10005", "[card]"),
    ("4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "[card]"), ("карта ٤١١١ 1111 1111 1111.", "карта [card]."),
    ("41111111111111111227123", "[card]"), ("5 4111 1111 1111 1111", "5 [card]"), ("4222222222222", "[card]"),
    # Identity numbers
    ("123456782", "[identity]"), ("12345678-2", "[identity]"), ("123 456 782", "[identity]"), ("1-2345678-2", "[identity]"),
    ("1 2 3 4 5 6 7 8 2", "[identity]"), ("1,2,3,4,5,6,7,8,2", "[identity]"), ("ה123456782", "ה[identity]"),
    ("ת.ז. 12345674", "ת.ז. [identity]"), ("מספר הזהות שלי הוא 1234566", "מספר הזהות שלי הוא [identity]"),
    ("my ID number is 12345674", "my ID number is [identity]"), ("номер теудат зеут 12345674", "номер теудат зеут [identity]"),
    ("رقم الهوية ١٢٣٤٥٦٧٤", "رقم الهوية [identity]"),
    # Addresses
    ("dana@example.co.il.", "[email]."), ("dana @ example.com", "[email]"), ("ל-dana.l+x@example.com", "[email]"),
    ("דנה@דוגמה.קום", "[email]"), ("d\u200eana@exa\u200fmple.com", "[email]"), ("a@b.com, c@d.com", "[email], [email]"),
    ("a@b.com+c@d.com", "[email][email]"), ("dana＠example", "[email]"),
    # Overlaps are one, named after the first of e-mail, card, phone, identity
    ("4111 1111 1111 1111@x.com", "[email]"), ("050-1234567@x.com", "[email]"), ("034567891", "[phone]"),
    ("7 12 050 123 4567", "7 12 [phone]"), (" ".join("12" for _ in range(70)), "[card]"),
]
KEPT = [
    "הזמנה 4711", "הזמנה מספר 123456789012", "ב-15:30", "09:00-17:00", "בין 9:00 ל-17:30", "1,250 שקל", "1,234,567,890", "2026",
    "99.90", "1,250.90 ו-2,300.00", "25/11/2026 15:30", "02/11/2026 9:30", "02-11-2026 5", "2026-11-25 5", "5.12.26 10", "0.3 1234567",
    "*2700", "חייגו *6050 או 2700*", "12345674", "123456789", "000000000", "6123456", "05, 06, 07, 08, 09", "4111 1111 1111 1112",
    "0111 1111 1111 1117", "4111: 1111 1111 1111", "39,90", "24/7", "קומה 3, דירה 12", "מחיר 200-300", "@dana", "ב-50% הנחה", "",
    "13/13/2026 15", "0501234567890123", "1/2/3/4", "1.2.3",
]
# fmt: on


@pytest.mark.parametrize(("said", "kept"), STRUCK_OUT)
def test_private_data_is_struck_out(said: str, kept: str) -> None:
    assert ALL.text(said) == kept


@pytest.mark.parametrize("said", KEPT)
def test_what_is_not_private_stays(said: str) -> None:
    assert ALL.text(said) == said


SAMPLES = {
    "identity": "123456782",
    "card": "4111 1111 1111 1111",
    "phone": "050-1234567",
    "email": "dana@example.com",
}


@pytest.mark.parametrize("kind", REDACTABLE)
def test_only_the_kinds_that_are_configured_are_struck_out(kind: str) -> None:
    text = " | ".join(SAMPLES.values())
    expected = text.replace(SAMPLES[kind], f"[{kind}]")

    assert Redaction([kind]).text(text) == expected


def test_every_kind_has_its_place_in_the_order() -> None:
    assert set(ORDER) == set(REDACTABLE)


def test_identity_number_is_found_whatever_else_it_may_be() -> None:
    assert Redaction(["identity"]).text("034567891") == "[identity]"


def test_nothing_is_made_where_nothing_is_configured() -> None:
    assert redaction_of(()) is None
    assert redaction_of(("card",)) is not None


def test_endless_text_is_cut_where_nothing_is_cut_off() -> None:
    text = "א" * (MAX_CHARACTERS - 8) + " 4111 1111 1111 1111"

    assert ALL.text(text) == "א" * (MAX_CHARACTERS - 8) + " "


# However a text is cut

PIECES = st.one_of(
    st.sampled_from(list(SAMPLES.values())),
    st.sampled_from(
        ["02/11/2026", "1,250", "15:30", "ת.ז. 12345674", "٠٥٠-١٢٣٤٥٦٧", "+44 20 7946 0958", "שלום", "  "]
    ),
    st.text(alphabet="0123456789٠٥ -.,/:()+@aא\u200e\u202a\u00a0–", max_size=8),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def spoken(redaction: Redaction, text: str, cuts: list[int]) -> str:
    """What comes out of a text that comes in pieces of these lengths."""
    out, at = "", 0
    for length in [*cuts, len(text)]:
        out += redaction.next_words("r", "i", text[at : at + length])
        at += length
    return out


@given(TEXTS, st.lists(st.integers(0, 9), max_size=20), st.sets(st.sampled_from(REDACTABLE), min_size=1))
@example("4111 1111 1111 1111@x.com", [17, 3], set(REDACTABLE))
@example("+44 20 7946 0958", [1], {"phone"})
@example("a@b.com.au", [8], {"email"})
@example("ת.ז. מספר 12345674", [9, 4, 3], {"identity"})
def test_no_cut_changes_what_comes_out(text: str, cuts: list[int], kinds: set[str]) -> None:
    """Of which the finished text is the proof: no private number is in it."""
    whole = text + END

    assert spoken(Redaction(kinds), whole, cuts) == Redaction(kinds).text(whole)


@given(
    st.sampled_from([(SAMPLES[kind], f"[{kind}]") for kind in REDACTABLE]), st.lists(st.integers(1, 4), max_size=12)
)
def test_words_are_late_by_a_word_and_never_wrong(private: tuple[str, str], cuts: list[int]) -> None:
    said, struck_out = private
    begun = spoken(redaction := Redaction(REDACTABLE), f"כתבו: {said}", cuts)

    assert begun == "כתבו: "
    assert redaction.next_words("r", "i", " תודה ") == f"{struck_out} "
    assert redaction.next_words("r", "i", "רבה") == "תודה "
    assert redaction.whole_words("r", "i", f"כתבו: {said} תודה רבה") == f"כתבו: {struck_out} תודה רבה"


def test_words_without_digits_wait_for_nothing_where_no_address_is_looked_for() -> None:
    assert Redaction(["card", "phone"]).next_words("r", "i", "שלום") == "שלום"


def test_number_without_an_end_is_kept_back_until_the_piece_is_finished() -> None:
    redaction = Redaction(["card"])

    assert [redaction.next_words("r", "i", "1 " * 100) for _ in range(1 + MAX_KEPT_BACK // 200)] == [""] * 3
    assert redaction.next_words("r", "i", "ועוד") == ""
    assert redaction.whole_words("r", "i", "אלף") == "אלף"
    assert redaction.next_words("r", "i", "אלפיים") == "אלפיים"


def test_pieces_are_kept_apart() -> None:
    redaction = Redaction(["phone"])
    redaction.next_words("r", "a", "050-")
    redaction.next_words("r", "b", "לא ")

    assert redaction.next_words("r", "a", "1234567 ") == ""
    assert redaction.next_words("r", "a", "א") == "[phone] א"


def test_response_that_is_over_says_nothing_more() -> None:
    redaction = Redaction(["phone"])
    redaction.next_words("r", "a", "שלום 050-")
    redaction.next_words("s", "a", "052-")
    redaction.response_over("r")

    assert redaction.next_words("r", "a", "1234567 א") == ""
    assert redaction.next_words("s", "a", "1234567 א") == "[phone] א"


def test_oldest_of_too_many_pieces_is_given_up() -> None:
    """As that of a session that was lost, of which no end is told."""
    redaction = Redaction(["phone"])
    for number in range(MAX_PIECES + 1):
        redaction.next_words(f"r{number}", "i", "05")

    assert len(redaction._pieces) == MAX_PIECES
    assert redaction.next_words("r0", "i", "0-1234567 א") == ""
    assert redaction.next_words("r1", "i", "0-1234567 א") == "[phone] א"


# Before the event is made


def events_of(redaction: Redaction, *messages: dict[str, Any]) -> list[object]:
    """The event of each message, where it makes one."""
    found = [decode(json.dumps(message), 1.0, redaction) for message in messages]
    return [event for event in found if event is not None]


def delta(words: str, item_id: str = "i") -> dict[str, Any]:
    return {"type": "response.output_audio_transcript.delta", "response_id": "r", "item_id": item_id, "delta": words}


def test_events_are_made_of_what_is_left() -> None:
    transcript = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": "u",
        "transcript": "כרטיס 4111 1111 1111 1111",
    }
    whole = {
        "type": "response.audio_transcript.done",
        "response_id": "r",
        "item_id": "i",
        "transcript": "05 0-12 3 4567",
    }

    assert events_of(Redaction(REDACTABLE), transcript, delta("05"), delta("0-12"), delta("3 4567"), delta(" הוא שלך"), whole) == [
        TranscriptCompleted(1.0, "u", "כרטיס [card]"),
        ReplyTranscript(1.0, "r", "[phone] הוא ", is_whole=False),
        ReplyTranscript(1.0, "r", "[phone]"),
    ]  # fmt: skip


OVER = [
    {"type": "response.done", "response": {"id": "r"}},
    {"type": "response.cancelled", "response_id": "r"},
]


@pytest.mark.parametrize("over", OVER)
def test_end_of_what_was_spoken_forgets_what_was_kept_back(over: dict[str, Any]) -> None:
    redaction = Redaction(["phone"])
    events_of(redaction, delta("05"), over)

    assert redaction._pieces == {}


def test_message_without_words_or_owner_is_as_without_redaction() -> None:
    for message in ({"type": "response.created", "response": {"id": "r"}}, delta("")):
        assert decode(json.dumps(message), 1.0, ALL) == decode(json.dumps(message), 1.0)


# In the journal

JSON = [
    ('{"phone":"050-1234567","day":"2026-11-25"}', {"phone": "[phone]", "day": "2026-11-25"}),
    ('{"list":["dana@example.com",{"a":null,"b":true}],"n":4711}', {"list": ["[email]", {"a": None, "b": True}], "n": 4711}),
    ('{"phone":501234567,"card":4111111111111111,"ratio":0.25}', {"phone": 1000000, "card": 1000000, "ratio": 0.25}),
    ('{"050-1234567":1.23456789}', {"[phone]": 1000000.0}),
    ('"\\u0660\\u0665\\u0660-1234567"', "[phone]"),
    ('"\\ud800 050-1234567"', "\ud800 [phone]"),
    ("[NaN,1e999]", [None, 0.0]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "values"), JSON)
def test_json_stays_json(text: str, values: object) -> None:
    cleaned = ALL.json(text)

    assert json.loads(cleaned) == values
    assert cleaned.encode()


@pytest.mark.parametrize("text", ["[" * 100_000, "050-1234567", "{"])
def test_what_is_no_json_is_a_text(text: str) -> None:
    assert ALL.json(text) == ALL.text(text)


EVENTS = [
    (DtmfReceived(1.0, "7"), DtmfReceived(1.0, "0")),
    (ToolCalled(1.0, "r", "c", "book", '"050-1234567"'), ToolCalled(1.0, "r", "c", "book", '"[phone]"')),
    (ToolAnswered(1.0, "c", '"050-1234567"'), ToolAnswered(1.0, "c", '"[phone]"')),
    (TranscriptCompleted(1.0, "u", "[phone]"), TranscriptCompleted(1.0, "u", "[phone]")),
]


@pytest.mark.parametrize(("event", "shown"), EVENTS)
def test_journal_has_no_keys_and_of_functions_what_is_not_private(event: Event, shown: Event) -> None:
    assert ALL.for_journal(event) == shown
