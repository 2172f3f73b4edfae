"""Drawings: SVG made of DOT by graphviz, and stamped: whether they are up to date can be told without graphviz."""

import re
import shutil
import subprocess
from hashlib import sha256
from typing import Final

from callfsm.audit.diagram.graph import MARKER

_COMMENTS: Final = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_STAMP: Final = re.compile(r"<!-- .*; source sha256 ([0-9a-f]{64}), drawing sha256 ([0-9a-f]{64}) -->\n")


class DrawingError(RuntimeError):
    """Graphviz is missing or failed."""


def draw(source: str) -> str:
    """Return the stamped SVG of a DOT text; raise DrawingError where graphviz is missing or refuses."""
    dot = shutil.which("dot")
    if dot is None:
        raise DrawingError("graphviz is not installed: there is no `dot` on the PATH")
    done = subprocess.run([dot, "-Tsvg"], input=source, capture_output=True, check=False, encoding="utf-8")  # noqa: S603 - our own text
    if done.returncode:
        raise DrawingError(f"graphviz failed: {done.stderr.strip()}")
    # Graphviz's own comments name its version, which would differ from machine to machine.
    prolog, newline, drawing = _COMMENTS.sub("", done.stdout).partition("?>\n")
    stamp = f"<!-- {MARKER}; source sha256 {_hash(source)}, drawing sha256 {_hash(drawing)} -->\n"
    return f"{prolog}{newline}{stamp}{drawing}"


def is_drawing_of(svg: str, source: str) -> bool:
    """Say whether an SVG was drawn from this very DOT text and has not been changed since."""
    stamp = _STAMP.search(svg)
    return stamp is not None and stamp.groups() == (_hash(source), _hash(svg[stamp.end() :]))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
