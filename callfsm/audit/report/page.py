"""The page of a report: one HTML file with the drawing, and all that it shows as text. It needs nothing else."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from callfsm.audit.account.values import Account
from callfsm.audit.report.drawing import drawing
from callfsm.audit.report.findings import findings
from callfsm.audit.report.words import (
    NEWS,
    clock,
    end_words,
    moments,
    quoted,
    reply_fate,
    safe,
    seconds,
    spoken,
    utterance_fate,
    verdict,
)

# Nothing may be fetched or run, whatever a journal holds.
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE: Final = """\
body { font: 15px/1.45 Helvetica, Arial, sans-serif; color: #1f2937; background: #fff; margin: 24px; }
h1 { font-size: 22px; } h2 { font-size: 17px; margin: 28px 0 8px; }
.drawing { overflow-x: auto; } .drawing svg { max-width: 100%; height: auto; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 18px; } dt { color: #4b5563; } dd { margin: 0; }
table { border-collapse: collapse; } caption { text-align: start; color: #4b5563; padding-bottom: 4px; }
th, td { border: 1px solid #d1d5db; padding: 3px 8px; text-align: start; vertical-align: top; }
th { background: #f3f4f6; } td.number { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
del { color: #6b7280; } code { background: #f3f4f6; padding: 0 3px; } .warning { color: #92400e; font-weight: bold; }
@media print {
  @page { size: landscape; margin: 12mm; } body { margin: 0; font-size: 12px; }
  .drawing { overflow: visible; } tr { break-inside: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
_LEVELS: Final = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR"}
_DEPARTED: Final = (
    "{} of the journal's events led to another state than it says: another version of the machine recorded it. This"
    " page tells what this version does with them."
)


def page(account: Account) -> str:
    """Return the page as HTML."""
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>Call {safe(account.call_sid)}</title>",
        f"<style>\n{_STYLE}</style></head><body>",
        f"<h1>Call {safe(account.call_sid)}</h1>",
        *_header(account),
        *_findings(account),
        "<h2>Timeline</h2>",
        f'<div class="drawing">\n{drawing(account)}</div>',
        *_course(account),
        *_utterances(account),
        *_replies(account),
        *_barge_ins(account),
        *_line(account),
        *_states(account),
        *_log(account),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _header(account: Account) -> Iterator[str]:
    header = account.header
    versions = ", ".join(f"{name} {header[name]}" for name in ("callfsm", "transitions", "python") if name in header)
    gate = f"noise floor {account.noise_floor_rms:.1f}, speech threshold {account.threshold_rms:.1f}"
    gate += f"; it changed {len(account.line)} times" if account.line else ""
    facts = {
        "started": safe(header["started"]),
        "lasted": clock(account, account.end.at),
        "business": f"<bdi>{safe(account.business.name)}</bdi> ({safe(account.business.number)})",
        "versions": safe(versions),
        "the line": gate if account.calibrated_at is not None else "was not measured: the call ended before",
        "end": safe(end_words(account)),
    }
    yield "<dl>" + "".join(f"<dt>{name}</dt><dd>{fact}</dd>" for name, fact in facts.items()) + "</dl>"
    if account.departures:
        yield f'<p class="warning">{_DEPARTED.format(account.departures)}</p>'


def _findings(account: Account) -> Iterator[str]:
    found = findings(account)
    if found:
        yield "<h2>Findings</h2>"
        yield "<ul>" + "".join(f"<li>{safe(finding)}</li>" for finding in found) + "</ul>"


def _course(account: Account) -> Iterator[str]:
    yield "<h2>What happened</h2>"
    rows = ((clock(account, moment.at), moment.sentence) for moment in moments(account))
    yield _table("In the order in which it happened; minutes and seconds from the first event", ("at", "what"), rows)


def _utterances(account: Account) -> Iterator[str]:
    columns = ("#", "from", "to", "loud ms", "voiced ms", "RMS", "threshold", "fate", "transcript")
    rows = (
        (
            str(number),
            clock(account, utterance.began_at),
            clock(account, utterance.ended_at),
            str(utterance.loud_ms),
            str(utterance.voiced_ms),
            f"{utterance.rms:.1f}",
            f"{utterance.threshold_rms:.1f}",
            safe(utterance_fate(utterance, account.config.turn.min_speech_ms)),
            quoted(utterance.transcript) if utterance.transcript is not None else "–",
        )
        for number, utterance in enumerate(account.utterances, 1)
    )
    yield "<h2>What the caller said</h2>"
    yield _table("Every sound that opened the gate, blips included; RMS over all its frames", columns, rows)


def _replies(account: Account) -> Iterator[str]:
    columns = ("#", "kind", "requested", "heard from", "to", "generated", "heard", "fate", "words")
    rows = []
    for number, reply in enumerate(account.replies, 1):
        times = (reply.requested_at, reply.audible_from, reply.audible_to)
        rows.append(
            (
                str(number),
                reply.kind.value,
                *(clock(account, at) for at in times),
                seconds(reply.generated_ms),
                seconds(reply.heard_ms),
                safe(reply_fate(reply)),
                spoken(reply),
            )
        )
    yield "<h2>What the assistant said</h2>"
    yield _table("Words that the caller did not hear, by the share of the audio, are struck out", columns, rows)


def _barge_ins(account: Account) -> Iterator[str]:
    columns = (
        "at", "frame's RMS", "limit", "reply #", "heard", "generated by then", "what it was", "the reply then",
        "sound #", "the sound's fate",
    )  # fmt: skip
    rows = (
        (
            clock(account, barge_in.at),
            f"{barge_in.rms:.1f}",
            f"{barge_in.limit_rms:.1f}",
            str(barge_in.reply + 1),
            seconds(barge_in.heard_ms),
            seconds(barge_in.generated_ms),
            safe(verdict(barge_in)),
            safe(reply_fate(account.replies[barge_in.reply])),
            str(barge_in.utterance + 1),
            safe(account.utterances[barge_in.utterance].fate.value),
        )
        for barge_in in account.barge_ins
    )
    yield "<h2>Barge-ins</h2>"
    yield _table("Every frame that stopped the assistant, and what it proved to be", columns, rows)


def _line(account: Account) -> Iterator[str]:
    rows = (
        (clock(account, change.at), f"{change.noise_rms:.1f}", f"{change.threshold_rms:.1f}", NEWS[change.kind])
        for change in account.line
    )
    yield "<h2>Changes of the line</h2>"
    yield _table(
        "The noise that decided it, and the threshold from then on", ("at", "noise", "threshold", "what"), rows
    )


def _states(account: Account) -> Iterator[str]:
    rows = (
        (clock(account, band.began_at), clock(account, band.ended_at), band.state.name, safe(band.state.value))
        for band in account.bands
    )
    yield "<h2>States</h2>"
    yield _table(
        "What the caller heard in each, and why the call was in it", ("from", "to", "state", "meaning"), rows
    )


def _log(account: Account) -> Iterator[str]:
    dropped = sum(frame.was_dropped for frame in account.frames)
    rows = (
        (
            clock(account, line.at),
            _LEVELS.get(line.level, str(line.level)),
            f'<bdi dir="auto">{safe(line.message)}</bdi>',
        )
        for line in account.lines
    )
    yield "<h2>Log</h2>"
    yield _table(f"Without the [AUDIO GATE] lines of {dropped} dropped frames", ("at", "level", "line"), rows)


_NUMBERS: Final = frozenset(
    {"#", "at", "from", "to", "loud ms", "voiced ms", "RMS", "frame's RMS", "threshold", "limit", "noise"}
    | {"requested", "heard from", "generated", "heard", "generated by then", "reply #", "sound #"}
)


def _table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = ["<tr>" + "".join(map(_cell, columns, row)) + "</tr>" for row in rows]
    if not body:
        return "<p>None.</p>"
    lines = "\n".join(body)
    return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table>"


def _cell(column: str, value: str) -> str:
    return f'<td class="number">{value}</td>' if column in _NUMBERS else f"<td>{value}</td>"
