"""Which digits in a text are the number of a payment card, of a telephone, or of an Israeli identity card.

What is said over the telephone is written down as it comes: digits one by one, in groups, in Arabic, with marks of
direction between them; and one of them may have been misheard. So a number is known by its shape and its check digit,
not by being assigned to anybody.
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Final, NamedTuple
from unicodedata import decimal

ORDER: Final = ("email", "card", "phone", "identity")
"""What overlaps is one find, named after the first of these in it."""
CONTEXT_CHARACTERS: Final = 40
"""So far before a number its kind may be named."""
UNSEEN: Final = "\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"
"""Marks of direction, and other characters that take no place."""
_DASHES: Final = "\\-\u05be\u2010-\u2015\u2212\ufe58\ufe63\uff0d"
MOST_BETWEEN: Final = 8
"""Characters between two groups of one number."""
_BETWEEN: Final = rf"[\s{_DASHES}{UNSEEN}./(),:+]"
_OPENING: Final = rf"[+(][+(\s{UNSEEN}]{{0,3}}"
_GROUP: Final = rf"\d++(?:[{UNSEEN}]{{1,{MOST_BETWEEN}}}+\d++)*+"
RUN: Final = re.compile(rf"(?:{_OPENING})?{_GROUP}(?:{_BETWEEN}{{1,{MOST_BETWEEN}}}+{_GROUP})*+")
"""Groups of digits with nothing but punctuation and blanks between them: what may be a number, and its neighbours."""
MORE_OF_RUN: Final = re.compile(rf"{_BETWEEN}{{0,{MOST_BETWEEN}}}")
"""What may stand behind a run that goes on."""
OPENED: Final = re.compile(rf"{_OPENING}\Z")
"""What a run may begin with."""

_GROUPS: Final = re.compile(_GROUP)
_NO_UNSEEN: Final = re.compile(f"[{UNSEEN}]")
_PLAIN: Final = re.compile(rf"[\s{_DASHES}]+")
_PHONE_GAP: Final = re.compile(rf"[\s{_DASHES}()]*[./]?[()]*|[\s{_DASHES}()]+")
_COMMA_GAP: Final = re.compile(r",\s*|\s*\.\s+")
_ISRAELI: Final = r"(?:[57]\d{8}|[23489]\d{7})"
_PHONE: Final = re.compile(rf"0{_ISRAELI}|9720?{_ISRAELI}|00[1-9]\d{{6,14}}|1(?:[5789]00|80[19]|599)\d{{6}}")
_DATE_GAPS: Final = frozenset("-./")
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
_LEAST_DIGITS: Final = 5
_MOST_GROUPS: Final = 60
"""Nobody says so many numbers and no word between them."""
_MOST_COMMA_GROUPS: Final = 4
_CARD_DIGITS: Final = range(13, 20)
_IDENTITY_DIGITS: Final = 9
_INTERNATIONAL_DIGITS: Final = range(7, 16)
_IDENTITY_GROUPS: Final = ((9,), (8, 1), (1, 8), (1, 7, 1))
_AMEX_GROUPS: Final = ((4, 6, 5), (4, 6, 4))
_IDENTITY_WORDS: Final = re.compile(
    r"\bת\W{0,2}ז\b|זהות|\bid\b|(?<!\[)identity|удостоверени|теудат|зеут|هوية|الهوية", re.IGNORECASE
)


class Find(NamedTuple):
    """Something private: where it begins and ends, and its kind."""

    start: int
    end: int
    kind: str


class _Gap(Enum):
    """What stands between two groups of digits: what cards and identity numbers may have, too, or phones alone."""

    PLAIN = auto()
    PHONE = auto()
    COMMA = auto()
    WALL = auto()


class _Digits(NamedTuple):
    """A group of a run's digits, and what stands before it, without what is not seen."""

    start: int
    end: int
    digits: str
    gap: str
    gap_kind: _Gap


def is_luhn(digits: str) -> bool:
    """Say whether the last digit is the check digit of the others; Israeli identity numbers have the same."""
    return sum(map(int, digits[::-2] + digits[-2::-2].translate(_DOUBLED))) % 10 == 0


def numbers_in(text: str, run: re.Match[str], kinds: frozenset[str]) -> Iterator[Find]:
    """Yield the private numbers of a run, which may overlap."""
    groups = _groups_of(run)
    if len(groups) > _MOST_GROUPS:
        yield Find(*run.span(), min(kinds - {"email"}, key=ORDER.index))
        return
    if sum(len(group.digits) for group in groups) < _LEAST_DIGITS:
        return
    plain = _plain_numbers(groups)
    for first in range(len(groups)):
        digits = ""
        for last in range(first, len(groups)):
            if last in plain or (last > first and groups[last].gap_kind is _Gap.WALL):
                break
            digits += groups[last].digits
            if last > first and len(digits) >= _CARD_DIGITS.stop:
                break
            if len(digits) >= _LEAST_DIGITS:
                number = groups[first : last + 1]
                found = kinds.intersection(_kinds_of(digits, number, text, run.start()))
                if found:
                    yield Find(_start_of(text, run.start(), number), groups[last].end, min(found, key=ORDER.index))


def _groups_of(run: re.Match[str]) -> list[_Digits]:
    groups: list[_Digits] = []
    behind = run.start()
    for match in _GROUPS.finditer(run.string, run.start(), run.end()):
        seen = _NO_UNSEEN.sub("", match[0])
        digits = seen if seen.isascii() else "".join(str(decimal(digit)) for digit in seen)
        gap = _NO_UNSEEN.sub("", run.string[behind : match.start()])
        groups.append(_Digits(*match.span(), digits, gap, _gap_kind(gap)))
        behind = match.end()
    return groups


def _start_of(text: str, run_start: int, groups: list[_Digits]) -> int:
    """Return where a number begins: at its plus, and at a bracket that is closed in it."""
    start = groups[0].start
    marks = "+(" if any(")" in group.gap for group in groups[1:]) else "+"
    at = start
    while at > run_start and (text[at - 1] in "+(" or text[at - 1].isspace() or _NO_UNSEEN.match(text[at - 1])):
        at -= 1
        if text[at] in marks:
            start = at
    return start


def _gap_kind(gap: str) -> _Gap:
    if _PLAIN.fullmatch(gap):
        return _Gap.PLAIN
    if _COMMA_GAP.fullmatch(gap):
        return _Gap.COMMA
    return _Gap.PHONE if _PHONE_GAP.fullmatch(gap) else _Gap.WALL


def _kinds_of(digits: str, groups: list[_Digits], text: str, run_start: int) -> Iterator[str]:
    gaps = {group.gap_kind for group in groups[1:]}
    sizes = tuple(len(group.digits) for group in groups)
    are_single = max(sizes) == 1
    # Lists have commas, too: only what is dictated digit by digit, or grouped as on the card, is one number.
    is_one = gaps <= {_Gap.PLAIN} or (_Gap.PHONE not in gaps and are_single)
    if _is_card(digits) and (is_one or (_Gap.PHONE not in gaps and _are_card_groups(sizes))):
        yield "card"
    if _Gap.COMMA not in gaps or are_single or len(groups) <= _MOST_COMMA_GROUPS:
        is_international = "+" in groups[0].gap and _Gap.COMMA not in gaps and len(digits) in _INTERNATIONAL_DIGITS
        if is_international or _PHONE.fullmatch(digits):
            yield "phone"
    if is_one and _is_identity(digits, sizes, text, run_start, groups[0].start):
        yield "identity"


def _are_card_groups(sizes: tuple[int, ...]) -> bool:
    return set(sizes[:-1]) == {4} or sizes in _AMEX_GROUPS


def _is_card(digits: str) -> bool:
    """Say whether it is a card's number, or so long that it may hold one with all that stands on the card."""
    if len(digits) >= _CARD_DIGITS.stop:
        return True
    return len(digits) in _CARD_DIGITS and digits[0] != "0" and is_luhn(digits)


def _is_identity(digits: str, sizes: tuple[int, ...], text: str, run_start: int, start: int) -> bool:
    if len(digits) > _IDENTITY_DIGITS or not digits.strip("0") or not is_luhn(digits):
        return False
    if len(digits) == _IDENTITY_DIGITS:
        return sizes in _IDENTITY_GROUPS or max(sizes) <= 3
    # Many a number has a check digit that fits by chance: without its zeros it must be named.
    return len(sizes) == 1 and bool(_IDENTITY_WORDS.search(text[max(0, start - CONTEXT_CHARACTERS) : run_start]))


def _plain_numbers(groups: list[_Digits]) -> set[int]:
    """Return which groups belong to times, dates and amounts, that are no part of any other number."""
    plain: set[int] = set()
    for index in range(1, len(groups)):
        before, group = groups[index - 1], groups[index]
        is_time = group.gap == ":" and len(before.digits) <= 2 and len(group.digits) == 2
        is_part = group.gap == "." and before.digits == "0"
        is_amount = group.gap == "," and len(group.digits) == 3 and (index - 1 in plain or _begins_amount(before))
        if is_time or is_part or is_amount:
            plain.update((index - 1, index))
        is_abroad = any("+" in group.gap for group in groups[:index])
        if index > 1 and _is_date(groups[index - 2 : index + 2], may_be_short=not is_abroad):
            plain.update((index - 2, index - 1, index))
    return plain


def _begins_amount(group: _Digits) -> bool:
    return len(group.digits) <= 3 and group.digits[0] != "0" and group.gap != ","


def _is_date(groups: list[_Digits], *, may_be_short: bool) -> bool:
    """Say whether the first three groups are a day, a month and a year, in any usual order; short: 25/11/26."""
    first, second, third, *behind = groups
    gap = second.gap
    is_longer = gap in (first.gap, *(group.gap for group in behind))
    if gap not in _DATE_GAPS or third.gap != gap or is_longer:
        return False
    texts = [first.digits, second.digits, third.digits]
    years = [text for text in (texts[0], texts[2]) if _YEAR.fullmatch(text)]
    if not years and not (may_be_short and gap != "-" and len(texts[2]) == 2):
        return False
    texts.remove(years[0] if years else texts[2])
    days = sorted(int(text) for text in texts)
    return all(len(text) <= 2 for text in texts) and 1 <= days[0] <= 12 and days[1] <= 31
