"""What changed between two machines, in words: of hand-made tables and of the machine that runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from callfsm.audit.diagram.command import _NO_CHANGE, main
from callfsm.audit.diagram.difference import differences
from callfsm.audit.diagram.difference_rows import row_changes
from callfsm.audit.diagram.export import to_json
from callfsm.audit.diagram.graph import Graph, Move, Named, PhaseMachine, Row, StateNode
from callfsm.audit.diagram.model import read_machine
from callfsm.machine import build
from callfsm.states.base import State

GRAPH = read_machine()


def names(text: str) -> tuple[Named, ...]:
    return tuple(Named(name, f"{name} in words") for name in text.split())


def rows(text: str, event: str = "Rang") -> tuple[Row, ...]:
    """Rows in short: `guards > target: actions | …`, where a target of `-` is none."""
    found = []
    for number, row in enumerate(filter(None, text.split("|")), 1):
        guards, _, rest = row.partition(">")
        target, _, actions = rest.partition(":")
        found.append(
            Row(event, number, names(guards), names(actions), {"-": None}.get(target.strip(), target.strip()))
        )
    return tuple(found)


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        pytest.param("a > B: x | > -", "a > B: x | > -", [], id="the same"),
        pytest.param("", "", [], id="ignored still"),
        pytest.param("", "a b > B: x y | > -", ["was ignored, now B when a, b (do: x, y); nothing otherwise"], id="ignored once"),
        pytest.param("> B", "", ["was B, now ignored"], id="ignored now"),
        pytest.param("a > B: x | > -: y", "a > B: x | b > -: z | > -: y", ["row 2 is new: stays when b (do: z)"], id="inserted"),
        pytest.param("> B", "a > C | > B", ["row 1 is new: C when a"], id="inserted on top"),
        pytest.param("a > B | b > C | > -", "b > C | > -", ["row 1 is gone, it was: B when a"], id="removed"),
        pytest.param("a > B | > -", "a > C | > -", ["row 1 when a: target was B, now C"], id="target"),
        pytest.param("a > B | > -", "a > - | > -", ["row 1 when a: target was B, now none"], id="no target any more"),
        pytest.param("a > B: x | > -", "a > B: y x | > -", ["row 1 when a: actions were x, now y, x"], id="actions"),
        pytest.param("a > B: x | > -", "a c > B: x | > -", ["row 1 when a: guards were a, now a, c"], id="guards"),
        pytest.param("a b > B | > -", "b a > B | > -", ["row 1 when a, b: guards were a, b, now b, a"], id="order of guards"),
        pytest.param("> -: x", "> -: y", ["row 1: actions were x, now y"], id="the only row"),
        pytest.param("a > B | > -", "a > B | > C: x", ["row 2 otherwise: target was none, now C; actions were none, now x"], id="else"),
        pytest.param("a > B | b > C | > -", "b > C | a > B | > -", ["row 2 (C when b) is now tried before row 1 (B when a)"], id="swapped"),
        pytest.param(
            "a > B | b > C | c > D | > -", "b > C | c > D | a > B | > -",
            ["row 1 (B when a) is now tried after row 2 (C when b), row 3 (D when c)"],
            id="moved down",
        ),
        pytest.param(
            "a > B | b > C | c > D | > -", "c > D | a > B | b > C | > -",
            ["row 3 (D when c) is now tried before row 1 (B when a), row 2 (C when b)"],
            id="moved up",
        ),
        pytest.param(
            "a > B | b > C | > -", "c > D | b > E | a > B | > -",
            [
                "row 1 is new: D when c",
                "row 2 when b: target was C, now E",
                "row 2 (C when b) is now tried before row 1 (B when a)",
            ],
            id="inserted, moved and changed",
        ),
        pytest.param("a > B | b > C | > -", "n > N | a > B | b > D | > -", ["row 1 is new: N when n", "row 3, once row 2, when b: target was C, now D"], id="changed further down"),
        pytest.param(
            "a > B: x | b > C: y | > -", "c > D: z | b > C: y | > -",
            ["row 1 when a: target was B, now D; guards were a, now c; actions were x, now z"],
            id="another in its place",
        ),
        pytest.param(
            "a > B: x | > -", "c > C: y | b > B: x | > -",
            ["row 1 is new: C when c (do: y)", "row 2, once row 1, when a: guards were a, now b"],
            id="other guards further down",
        ),
        pytest.param("a > B | a > B | > -", "a > B | > -", ["row 2 is gone, it was: B when a"], id="one of two alike"),
    ],
)  # fmt: skip
def test_rows_are_compared_in_words(old: str, new: str, lines: list[str]) -> None:
    assert list(row_changes(rows(old), rows(new))) == lines


SHORT_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["", "a", "b", "a b"]), st.sampled_from(["B", "C", "-"]), st.sampled_from(["", "x", "x y"])
    ),
    max_size=5,
).map(lambda found: rows("|".join(f"{guards} > {target}: {actions}" for guards, target, actions in found)))


@given(SHORT_ROWS, SHORT_ROWS)
def test_rows_have_no_changes_only_where_they_are_the_same(old: tuple[Row, ...], new: tuple[Row, ...]) -> None:
    assert (list(row_changes(old, new)) == []) == (old == new)


@given(SHORT_ROWS, st.integers(min_value=0, max_value=5))
def test_a_row_that_comes_in_changes_no_other(old: tuple[Row, ...], place: int) -> None:
    texts = [(row.guards, row.actions, row.target) for row in old]
    texts.insert(place, (names("fresh"), names("refresh"), "NEW"))
    new = tuple(Row("Rang", number, *text) for number, text in enumerate(texts, 1))

    assert len(list(row_changes(old, new))) == 1


SLEEPING = StateNode("SLEEPING", "nothing", "It sleeps.", None, (), rows("a > AWAKE: x | > -"), ("Knocked",))
AWAKE = StateNode("AWAKE", "a voice", "It talks.", names("bedtime")[0], names("yawn"), (), ("Rang", "Knocked"))
LAMP = PhaseMachine(
    "lamp", "Whether it burns.", names("OFF ON"), names("PRESS"), ("OFF",), (Move("OFF", "PRESS", "ON"),)
)
HOUSE = Graph("SLEEPING", names("Rang Knocked"), (SLEEPING, AWAKE), (LAMP,))


def with_states(*states: StateNode) -> Graph:
    return evolve(HOUSE, states=states)


def with_lamp(**changes: Any) -> Graph:
    return evolve(HOUSE, machines=(evolve(LAMP, **changes),))


SNORING = evolve(SLEEPING, name="SNORING", meaning="a snore")
RENAMED = tuple(
    evolve(row, guards=tuple(evolve(guard, name="is_a") for guard in row.guards)) for row in SLEEPING.rows
)
REWORDED = tuple(
    evolve(row, actions=tuple(Named(each.name, "otherwise") for each in row.actions)) for row in SLEEPING.rows
)


@pytest.mark.parametrize(
    ("new", "lines"),
    [
        pytest.param(HOUSE, [], id="the same"),
        pytest.param(evolve(HOUSE, initial="AWAKE"), ["a call began in SLEEPING, now in AWAKE"], id="initial"),
        pytest.param(with_states(SLEEPING, evolve(AWAKE, meaning="noise")), ['AWAKE meant "a voice", now "noise"'], id="meaning"),
        pytest.param(with_states(SLEEPING, evolve(AWAKE, prose="Ah.")), ["AWAKE: what its module says about it was rewritten"], id="prose"),
        pytest.param(
            with_states(SLEEPING, evolve(AWAKE, deadline=None)),
            ["AWAKE: deadline was bedtime, now none", "deadline bedtime is gone; it meant: bedtime in words"],
            id="no deadline",
        ),
        pytest.param(
            with_states(SLEEPING, evolve(AWAKE, deadline=Named("bedtime", "ten o'clock"))),
            ['deadline bedtime meant "bedtime in words", and now means "ten o\'clock"'],
            id="deadline with another meaning",
        ),
        pytest.param(
            with_states(SLEEPING, evolve(AWAKE, entry=names("yawn stretch"))),
            ["AWAKE: entry actions were yawn, now yawn, stretch", "action stretch is new: stretch in words"],
            id="entry",
        ),
        pytest.param(
            with_states(evolve(SLEEPING, rows=(), ignored=("Rang", "Knocked")), AWAKE),
            [
                "SLEEPING x Rang: was AWAKE when a (do: x); nothing otherwise, now ignored",
                "guard a is gone; it meant: a in words",
                "action x is gone; it meant: x in words",
            ],
            id="ignored now",
        ),
        pytest.param(with_states(evolve(SLEEPING, rows=RENAMED), AWAKE), ["guard a is now called is_a"], id="guard renamed"),
        pytest.param(with_states(evolve(SLEEPING, rows=REWORDED), AWAKE), ['action x meant "x in words", and now means "otherwise"'], id="action with another meaning"),
        pytest.param(
            evolve(HOUSE, initial="ASLEEP", states=(evolve(SLEEPING, name="ASLEEP"), AWAKE)),
            ["state SLEEPING is now called ASLEEP"],
            id="state renamed",
        ),
        pytest.param(with_states(AWAKE, SLEEPING), ["the states are listed in another order: AWAKE, SLEEPING"], id="order"),
        pytest.param(
            with_states(SLEEPING, AWAKE, SNORING),
            ["SNORING is new: a snore", "SNORING x Rang: new, AWAKE when a (do: x); nothing otherwise", "SNORING ignores Knocked"],
            id="state added",
        ),
        pytest.param(
            with_states(AWAKE),
            ["SLEEPING is gone, with its 2 rows; it meant: nothing", "guard a is gone; it meant: a in words", "action x is gone; it meant: x in words"],
            id="state removed",
        ),
        pytest.param(
            Graph("SLEEPING", names("Rang Knocked Sang"), (evolve(SLEEPING, ignored=("Knocked", "Sang")), evolve(AWAKE, rows=rows("> -: x", "Sang"))), (LAMP,)),
            ["event Sang is new: Sang in words", "event Sang is ignored in SLEEPING", "AWAKE x Sang: new, stays (do: x)"],
            id="event added",
        ),
        pytest.param(
            Graph("SLEEPING", names("Rang"), (evolve(SLEEPING, ignored=()), evolve(AWAKE, ignored=("Rang",))), (LAMP,)),
            ["event Knocked is gone; it meant: Knocked in words", "event Knocked had rows in no state"],
            id="event removed",
        ),
        pytest.param(with_lamp(moves=()), ["lamp: OFF x PRESS: was ON, now illegal"], id="move removed"),
        pytest.param(with_lamp(moves=(*LAMP.moves, Move("ON", "PRESS", "OFF"))), ["lamp: ON x PRESS: was illegal, now OFF"], id="move added"),
        pytest.param(with_lamp(moves=(Move("OFF", "PRESS", "OFF"),)), ["lamp: OFF x PRESS: was ON, now OFF"], id="move elsewhere"),
        pytest.param(with_lamp(phases=names("OFF ON DIM")), ["lamp: phase DIM is new: DIM in words"], id="phase added"),
        pytest.param(with_lamp(starts=("OFF", "ON")), ["lamp: a call began in OFF, now in OFF or ON"], id="starts"),
        pytest.param(with_lamp(meaning="Light."), ['lamp meant "Whether it burns.", now "Light."'], id="machine with another meaning"),
        pytest.param(evolve(HOUSE, machines=()), ["lamp: the small machine is gone; it meant: Whether it burns."], id="machine removed"),
        pytest.param(
            evolve(HOUSE, machines=(LAMP, evolve(LAMP, name="fire", inputs=(), moves=()))),
            ["fire: the small machine is new: Whether it burns.", "fire: a call began in no phase, now in OFF",
             "fire: phase OFF is new: OFF in words", "fire: phase ON is new: ON in words"],
            id="machine added",
        ),
        pytest.param(evolve(HOUSE, machines=(LAMP, LAMP)), ["the versions differ in something that this comparison has no words for"], id="beyond words"),
    ],
)  # fmt: skip
def test_machines_are_compared_in_words(new: Graph, lines: list[str]) -> None:
    assert [line for group in differences(HOUSE, new) for line in group] == lines


def test_changes_are_grouped_by_state_in_the_tables_order() -> None:
    machine = build()
    for state in (State.CANCELLING, State.WAITING_FOR_USER):
        for event in ("PlaybackMarked", "ToolCalled"):
            machine.events[event].transitions[state.name].clear()
            machine.add_transition(event, state, State.ENDED)

    assert differences(GRAPH, read_machine(machine)) == [
        [f"{state} x {event}: was ignored, now ENDED" for event in ("ToolCalled", "PlaybackMarked")]
        for state in ("WAITING_FOR_USER", "CANCELLING")
    ]


def test_a_row_put_on_top_of_many_is_one_change() -> None:
    machine = build()
    machine.add_transition("TimerFired", State.LISTENING, State.ENDED, conditions=[is_late])
    machine.events["TimerFired"].transitions["LISTENING"].insert(
        0, machine.events["TimerFired"].transitions["LISTENING"].pop()
    )

    assert differences(GRAPH, read_machine(machine)) == [
        ["LISTENING x TimerFired: row 1 is new: ENDED when is_late"],
        ["guard is_late is new: It is late."],
    ]


def is_late() -> bool:
    """It is late."""
    return True


@pytest.fixture
def exported(tmp_path: Path) -> Callable[[str, Graph], str]:
    def write(name: str, graph: Graph) -> str:
        (tmp_path / name).write_text(to_json(graph), encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_diff_of_a_machine_and_itself_is_none(
    exported: Callable[[str, Graph], str], capsys: pytest.CaptureFixture[str]
) -> None:
    file = exported("same.json", GRAPH)

    assert [main(["--diff", file]), main(["--diff", file, file])] == [0, 0]
    assert capsys.readouterr().out == _NO_CHANGE * 2


def test_diff_prints_a_line_a_change_and_a_gap_between_states(
    exported: Callable[[str, Graph], str], capsys: pytest.CaptureFixture[str]
) -> None:
    new = with_states(evolve(SLEEPING, meaning="dreams"), evolve(AWAKE, meaning="noise"))

    assert main(["--diff", exported("old.json", HOUSE), exported("new.json", new)]) == 1
    assert capsys.readouterr().out == 'SLEEPING meant "nothing", now "dreams"\n\nAWAKE meant "a voice", now "noise"\n'


def test_diff_with_the_machine_that_runs(
    exported: Callable[[str, Graph], str], capsys: pytest.CaptureFixture[str]
) -> None:
    old = evolve(GRAPH, initial="LISTENING")

    assert main(["--diff", exported("old.json", old)]) == 1
    assert capsys.readouterr().out == "a call began in LISTENING, now in CALIBRATING\n"


def test_diff_with_what_cannot_be_read_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "old.json").write_text("{}")

    assert main(["--diff", str(tmp_path / "old.json")]) == 2
    assert capsys.readouterr().err.startswith(
        f"callfsm diagram: {tmp_path / 'old.json'}: is not the table of a machine"
    )
