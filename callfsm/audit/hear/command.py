"""`callfsm hear`: runs recordings of callers' lines through the gate and tells what it did, frame by frame."""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

from callfsm.audit.hear.drawing import drawing
from callfsm.audit.hear.rows import Row, rows, values
from callfsm.audit.replay.settings import changed_config
from callfsm.config import Config
from callfsm.config_checks import ConfigError
from callfsm.config_file import read_config
from callfsm.hearing.mulaw import FRAME_MS
from callfsm.hearing.wav import read_wav

BAR: Final = 40
"""Columns of the bar of a frame; a column is a fifth of an octave or so, up to full scale."""
_BITS_OF_FULL_SCALE: Final = 15.0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("callfsm hear", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="F.wav", help="8 kHz mono, 16-bit or mu-law")
    parser.add_argument(
        "--played",
        type=Path,
        metavar="G.wav",
        help="what the caller was being played; silence where it ends",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the numbers of this callfsm.toml")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="settings", help="as gate.max_threshold=300"
    )
    told = parser.add_mutually_exclusive_group()
    told.add_argument("--json", action="store_true", help="print one JSON object a frame and nothing else")
    told.add_argument("--summary", action="store_true", help="print the counts alone, without the frames")
    parser.add_argument("--svg", type=Path, metavar="OUT", help="draw it as well; of several files, one picture each")
    return parser


def main(argv: Sequence[str]) -> int:
    """Run the command; return 0, or 2 for a file or a setting that cannot be used."""
    options = _parser().parse_args(argv)
    try:
        _check_pictures(options)
        config = changed_config(read_config(options.config) if options.config else Config(), options.settings)
        played = read_wav(options.played) if options.played else b""
        for path in options.files:
            heard = rows(read_wav(path), played, config)
            _print(path, heard, options)
            if options.svg:
                _picture_of(options.svg, path, options.files).write_text(drawing(path.name, heard), encoding="utf-8")
    except BrokenPipeError:
        raise
    except OSError as error:
        sys.stderr.write(f"callfsm hear: {error.filename}: {error.strerror}\n")
        return 2
    except (ConfigError, ValueError) as error:
        sys.stderr.write(f"callfsm hear: {error}\n")
        return 2
    return 0


def _check_pictures(options: argparse.Namespace) -> None:
    recordings = {path.resolve() for path in (*options.files, options.played) if path}
    for path in options.files if options.svg else ():
        picture = _picture_of(options.svg, path, options.files)
        if picture.resolve() in recordings:
            raise ValueError(f"{picture}: is a recording, and would be lost")


def _picture_of(out: Path, path: Path, files: Sequence[Path]) -> Path:
    return out if len(files) == 1 else out.with_name(f"{out.stem}-{path.stem}{out.suffix}")


def _print(path: Path, heard: Sequence[Row], options: argparse.Namespace) -> None:
    if options.json:
        name = {"file": str(path)} if len(options.files) > 1 else {}
        lines: Iterator[str] = (json.dumps(name | row) for row in values(heard))
    else:
        lines = iter([f"{path}: {len(heard) * FRAME_MS / 1000:.2f} s", *_frames(heard, options), *_summary(heard)])
    sys.stdout.writelines(f"{line}\n" for line in lines)


def _frames(heard: Sequence[Row], options: argparse.Namespace) -> Iterator[str]:
    if options.summary:
        return
    yield f"{'at_ms':>8} {'rms':>8} {'limit':>8}"
    for row in heard:
        told = [name for name in ("sent", "stopped", "confirmed", "resumed") if getattr(row, name)]
        yield f"{row.at_ms:>8} {row.rms:>8.1f} {row.limit:>8.1f} {_bar(row)} {' '.join(told)}".rstrip()


def _bar(row: Row) -> str:
    """Return the frame's loudness as a bar, with the limit in it."""
    length, limit = (round(BAR * _octaves(rms) / _BITS_OF_FULL_SCALE) for rms in (row.rms, row.limit))
    bar = ("#" if row.sent else "-") * length
    bar = bar.ljust(BAR)
    return f"{bar[:limit]}|{bar[limit:]}"


def _octaves(rms: float) -> float:
    return min(_BITS_OF_FULL_SCALE, math.log2(max(1.0, rms)))


def _summary(heard: Sequence[Row]) -> Iterator[str]:
    count = max(1, len(heard))
    sent = sum(row.sent for row in heard)
    openings = sum(row.sent and not before.sent for before, row in pairwise(heard))
    yield f"  sent: {sent} of {len(heard)} frames ({100 * sent / count:.0f} %), in {openings} openings"
    stops = [row for row in heard if row.stopped]
    confirmed, resumed = ([row for row in heard if getattr(row, name)] for name in ("confirmed", "resumed"))
    yield f"  stopped: {len(stops)}, confirmed: {len(confirmed)}, resumed: {len(resumed)}"
    for row in stops:
        yield f"    {row.at_ms / 1000:.2f} s  rms {row.rms:.1f} at a limit of {row.limit:.1f}: {_verdict(row, heard)}"


def _verdict(stop: Row, heard: Sequence[Row]) -> str:
    for row in heard[stop.at_ms // FRAME_MS :]:
        if row.confirmed:
            return f"confirmed after {row.at_ms - stop.at_ms} ms"
        if row.resumed:
            return f"went on after {row.at_ms - stop.at_ms} ms"
    return "no verdict before the recording ends"
