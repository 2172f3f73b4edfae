"""Silero VAD at 8000 Hz: how probable it is that 32 ms of sound are speech.

onnxruntime is imported when a model is loaded and not before: a server without the detector does not need it.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from callfsm.config_checks import ConfigError
from callfsm.hearing.mulaw import SAMPLE_RATE_HZ

WINDOW_SAMPLES: Final = 256
"""What the model judges at once: 32 ms."""
CONTEXT_SAMPLES: Final = 32
"""It is also given the end of the window before; ahead of the first one, silence."""
INSTALL: Final = {
    "onnxruntime": "pip install onnxruntime",
    "silero_vad": "pip install --no-deps silero-vad",
}
"""What the detector needs, and how it is had without torch."""
_STATE_SHAPE: Final = (2, 1, 128)
_FATAL_ONLY: Final = 4

Floats = npt.NDArray[np.float32]


class Model(Protocol):
    """What tells speech. It has no state of its own, so that one serves all calls."""

    def judge(self, samples: Floats, state: Floats) -> tuple[float, Floats]:
        """Return the probability of speech in a window, and the state to judge the next one with.

        `samples`, shape (CONTEXT_SAMPLES + WINDOW_SAMPLES,), lie between -1.0 and 1.0.
        """
        ...


def first_state() -> Floats:
    """Return the state to judge the first window of a sound with, shape (2, 1, 128)."""
    return np.zeros(_STATE_SHAPE, np.float32)


class Silero:
    """Silero's model on one thread."""

    def __init__(self, session: Any) -> None:
        self._run = session.run
        self._rate = np.array(SAMPLE_RATE_HZ, np.int64)

    def judge(self, samples: Floats, state: Floats) -> tuple[float, Floats]:
        """Return the probability of speech in a window, and the state to judge the next one with."""
        probability, after = self._run(None, {"input": samples[np.newaxis], "state": state, "sr": self._rate})
        return float(probability[0, 0]), after


def load(path: str = "") -> Silero:
    """Return the model in this file; in that of the package silero-vad where the path is empty.

    Raises ConfigError, which says what to install, or that the file is no such model.
    """
    needed = ["onnxruntime"] if path else ["onnxruntime", "silero_vad"]
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        names = " and ".join(name.replace("_", "-") for name in missing)
        raise ConfigError("gate.detector", f"needs {names}: {' && '.join(INSTALL[name] for name in missing)}")
    try:
        model = (Path(path) if path else _packaged()).read_bytes()
    except OSError as error:
        raise ConfigError("gate.detector_model", f"cannot be read ({error.strerror})") from None
    return _opened(model)


def _packaged() -> Path:
    # The package is found and not imported: it would import torch.
    spec = find_spec("silero_vad")
    places = (spec and spec.submodule_search_locations) or [""]
    return Path(places[0], "data", "silero_vad.onnx")


def _opened(model: bytes) -> Silero:
    # Imported late: it takes 0.15 s.
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = options.intra_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    try:
        silero = Silero(onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"]))
        _, state = silero.judge(np.zeros(CONTEXT_SAMPLES + WINDOW_SAMPLES, np.float32), first_state())
    except Exception:  # noqa: BLE001 - onnxruntime's errors have no narrower class in common
        raise ConfigError("gate.detector_model", "is not Silero VAD of version 5 or later, as ONNX") from None
    if state.shape != _STATE_SHAPE:
        raise ConfigError("gate.detector_model", "is not Silero VAD of version 5 or later, as ONNX")
    return silero
