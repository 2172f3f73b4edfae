"""Scripts in TOML, whose keys are the fields of `Script`, `Utterance` and `Reply`.

A reply's `audio` is a wav file beside the script ("hours.wav"), or a recording of `callfsm/sim/speech/` by its
stem ("he_reply_hours"), whose words are then the default of `text`:

    faults = ["beta_names"]
    greeting = { audio = "he_greeting" }

    [[utterances]]
    text = "מה שעות הפתיחה?"
    delay_ms = 500

    [[replies]]
    audio = "he_reply_hours"
    faults = ["late_deltas"]
"""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import cattrs
from cattrs.gen import make_dict_structure_fn
from cattrs.v import format_exception

from callfsm.hearing.wav import read_wav
from callfsm.sim import speech_files
from callfsm.sim.realtime_script import Fault, Reply, Script

_WAV: Final = ".wav"


def load_script(path: Path | str) -> Script:
    """Return the script of a TOML file.

    Raises ValueError that names the file and each key that is unknown or holds no possible value; OSError where
    the file cannot be read.
    """
    path = Path(path)
    try:
        return _converter(path.parent).structure(tomllib.loads(path.read_text(encoding="utf-8")), Script)
    except cattrs.BaseValidationError as error:
        flaws = cattrs.transform_error(error, path=path.name, format_exception=_describe)
        raise ValueError("; ".join(flaws)) from None
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None


def _converter(folder: Path) -> cattrs.Converter:
    """Return what reads a script whose wav files lie in `folder`."""
    converter = cattrs.Converter(forbid_extra_keys=True)
    for scalar in (bool, float, int, str):
        converter.register_structure_hook(scalar, _strictly)
    converter.register_structure_hook(Fault, lambda name, _: Fault(name))
    converter.register_structure_hook(bytes, lambda name, _: _audio(folder, _strictly(name, str)))
    converter.register_structure_hook(Reply, _with_words_of_clip(make_dict_structure_fn(Reply, converter)))
    return converter


def _strictly(value: object, wanted: type) -> Any:
    """Return the value if it is of the type; cattrs by itself would make a true boolean of the string "no"."""
    fits = type(value) is wanted or (wanted is float and type(value) is int)
    if not fits:
        raise ValueError(f"must be a {wanted.__name__}, not {value!r}")
    return wanted(value)


def _audio(folder: Path, name: str) -> bytes:
    try:
        return read_wav(folder / name) if name.endswith(_WAV) else speech_files.load(name).ulaw
    except OSError as error:
        raise ValueError(str(error)) from None


def _with_words_of_clip(structure: Callable[[Mapping[str, Any], Any], Reply]) -> Callable[[Any, Any], Reply]:
    def structure_reply(table: Any, wanted: Any) -> Reply:
        if not isinstance(table, dict):
            raise ValueError(f"must be a table, not {table!r}")  # noqa: TRY004 - the file's flaw, not a caller's
        audio = table.get("audio")
        if isinstance(audio, str) and not audio.endswith(_WAV) and "text" not in table:
            table = table | {"text": speech_files.load(audio).text}
        return structure(table, wanted)

    return structure_reply


def _describe(flaw: BaseException, wanted: type | None) -> str:
    """Return our own words where a value was refused in them, cattrs's where it found the flaw."""
    return str(flaw) if type(flaw) is ValueError else format_exception(flaw, wanted)
