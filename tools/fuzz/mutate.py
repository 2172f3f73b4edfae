"""Changes JSON as JSON, so that what is tried gets past the first brace: libFuzzer's own changes do the rest."""

import json
import random
from collections.abc import Callable
from typing import Any, Final

VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1e308, 2**63, 2**64, 10**30, 0.1, "", " ", "0", "\0", "\ud800", "א" * 300, "a" * 5000,
    [], {}, [[]], {"": None}, {"turn": "1"}, {"turn": {"turn": 1}}, "/w==", "1" * 25, "response.done", "completed",
    "hangup", "m1", "audio/pcmu",
)  # fmt: skip
DEPTHS: Final = (2, 50, 985, 1005, 20_000)
NATIVE_SHARE: Final = 0.4

Native = Callable[[bytes, int], bytes]


def mutated(data: bytes, most_bytes: int, seed: int, native: Native) -> bytes:
    """Return other data, at most so long: one of its messages changed in one place, or anything of `native`'s."""
    chance = random.Random(seed)  # noqa: S311 - libFuzzer gives the seed, so that a run can be repeated
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    start = lines[at].find(b"{")
    if start < 0 or chance.random() < NATIVE_SHARE:
        return native(data, most_bytes)
    try:
        changed = _changed(json.loads(lines[at][start:]), chance)
    except (ValueError, RecursionError):
        return native(data, most_bytes)
    lines[at] = lines[at][:start] + changed
    if chance.random() < 0.2:
        lines.insert(at, chance.choice(lines))
    return b"\n".join(lines)[:most_bytes]


def _changed(value: Any, chance: random.Random) -> bytes:
    holder, key = chance.choice(_places(value))
    if chance.random() < 0.1:
        marked = json.dumps(_put(value, holder, key, "\1"), ensure_ascii=chance.random() < 0.5)
        depth = chance.choice(DEPTHS)
        text = marked.replace('"\\u0001"', "[" * depth + "]" * depth)
    elif isinstance(holder, dict) and chance.random() < 0.15:
        text = json.dumps({name: each for name, each in value.items() if name != key} if holder is value else value)
    else:
        text = json.dumps(_put(value, holder, key, chance.choice(VALUES)), ensure_ascii=chance.random() < 0.5)
    return text.encode("utf-8", "surrogatepass")


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return every place in a JSON value: what holds it, and its key there; (None, None) is the whole."""
    found: list[tuple[Any, Any]] = [(None, None)]
    stack = [value]
    while stack:
        holder = stack.pop()
        if isinstance(holder, dict | list):
            for key in list(holder) if isinstance(holder, dict) else range(len(holder)):
                found.append((holder, key))
                stack.append(holder[key])
    return found


def _put(value: Any, holder: Any, key: Any, new: Any) -> Any:
    if holder is None:
        return new
    holder[key] = new
    return value
