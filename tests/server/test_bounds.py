"""What strangers may make the server keep: a form, endings of calls; and whose a journal is."""

import stat
from pathlib import Path

from callfsm.audit.journal import JournalWriter
from callfsm.call import HISTORY_TURNS, Call
from callfsm.config import Business, Config
from callfsm.environment import Environment
from callfsm.server.app import MAX_FORM_BYTES
from callfsm.server.shared import REMEMBERED_ENDINGS, Afterwards, make_server
from tests.server.by_hand import by_hand
from tests.server.test_doors import PUBLIC, SIGNED, post, signature


async def test_form_that_is_too_large_is_refused() -> None:
    form = {"CallSid": "C" * MAX_FORM_BYTES}
    async with by_hand(PUBLIC, SIGNED) as hands:
        status, _ = await post(hands, "/twilio/voice", form, signature("/twilio/voice", form))

    assert status == 413


async def test_oldest_ending_of_a_thousand_is_forgotten() -> None:
    server = make_server(Config(), Environment("sk-secret"), is_insecure=True)
    for number in range(REMEMBERED_ENDINGS + 1):
        server.owe(f"CA{number}", Afterwards(clip="apology"))

    assert [server.afterwards(f"CA{number}").clip for number in (0, 1, REMEMBERED_ENDINGS)] == [
        "",
        "apology",
        "apology",
    ]


def test_oldest_turn_of_a_long_call_is_forgotten() -> None:
    call = Call.begin(Config(), Business())
    call.history.extend(("user", str(number)) for number in range(HISTORY_TURNS + 1))

    assert (len(call.history), call.history[0]) == (HISTORY_TURNS, ("user", "1"))


def test_journal_is_its_owners_alone(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path)
    journal = writer.open("now", "CA1")
    journal.begin({})
    writer.close()

    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600
