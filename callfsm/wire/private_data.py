"""Where private data stands in a text: payment cards, telephone and identity numbers, e-mail addresses."""

import re
from typing import Final

from callfsm.wire.private_numbers import MORE_OF_RUN, MOST_BETWEEN, OPENED, ORDER, RUN, UNSEEN, Find, numbers_in

_LOCAL: Final = rf"[\w.!#$%&'*+/=?^`{{|}}~\-{UNSEEN}]++"
_DOMAIN: Final = rf"[\w\-{UNSEEN}]++"
_SIGNS: Final = frozenset("@\uff20")
_AT: Final = r"\s{0,2}[@\uff20]\s{0,2}"
_WORD: Final = re.compile(rf"{_LOCAL}(?P<address>{_AT}{_DOMAIN}(?:\.{_DOMAIN})*+)*+")
"""A word, and the address that it begins where one follows."""
_MORE_OF_WORD: Final = re.compile(rf"(?:\s{{0,2}}|{_AT})")


def finds_in(text: str, kinds: frozenset[str], start: int = 0) -> list[Find]:
    """Return what is private from `start` on, in order; what overlaps is one."""
    found: list[Find] = []
    if "email" in kinds and not _SIGNS.isdisjoint(text):
        found += [Find(*word.span(), "email") for word in _WORD.finditer(text, start) if word["address"]]
    if kinds - {"email"}:
        for run in RUN.finditer(text, start):
            found += numbers_in(text, run, kinds)
    merged: list[Find] = []
    for find in sorted(found):
        if merged and find.start < merged[-1].end:
            last = merged.pop()
            kind = min(last.kind, find.kind, key=ORDER.index)
            merged.append(Find(last.start, max(last.end, find.end), kind))
        else:
            merged.append(find)
    return merged


def decided(text: str, start: int, kinds: frozenset[str]) -> int:
    """Return up to where a text that goes on is decided: what is private there, and what is not."""
    end, spans = len(text), list[tuple[int, int]]()
    if "email" in kinds:
        words = list(_WORD.finditer(text, start))
        spans += [word.span() for word in words if word["address"]]
        if words and _MORE_OF_WORD.fullmatch(text, words[-1].end()):
            end = words[-1].start()
            # An address ends before a full stop behind which it may go on.
            for word in reversed(words):
                end = word.start() if word.end() == end else end
    if kinds - {"email"}:
        runs = [run.span() for run in RUN.finditer(text, start)]
        spans += runs
        if opened := OPENED.search(text, max(start, len(text) - MOST_BETWEEN)):
            end = min(end, opened.start())
        if runs and MORE_OF_RUN.fullmatch(text, runs[-1][1]):
            end = min(end, runs[-1][0])
    for first, behind in sorted(spans, reverse=True):
        if first < end < behind:
            end = first
    return end
