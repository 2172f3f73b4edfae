"""One utterance as the model hears it: its frames in, windows of 32 ms with their probabilities out.

    listener = Listener(load(config.gate.detector_model), config.gate.min_speech_probability)
    is_speech = listener.hear(ulaw, limit_rms)

No thread and no clock: an offline tool calls it in step with the frames. One listener hears one utterance.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
from attrs import define, field, frozen

from callfsm.detector.silero import CONTEXT_SAMPLES, WINDOW_SAMPLES, Floats, Model, first_state
from callfsm.hearing.mulaw import decode, rms

WINDOWS_IN_A_ROW: Final = 3
"""So many windows prove speech: 96 ms. Two would save 32 ms and let three times as many coughs pass."""
_FULL_SCALE: Final = 32_768.0


@frozen
class Window:
    """32 ms of an utterance: how probable it is that they are speech, 0.0 to 1.0, and how loud they are."""

    probability: float
    rms: float


@define(eq=False)
class Listener:
    """What the model has heard of one utterance.

    A window counts only if it is as loud as the gate wants a frame to be: what lies below that is pre-roll or the
    assistant's own echo, which the model takes for the speech that it is.
    """

    _model: Model
    _min_probability: float
    is_speech: bool = False
    """Enough windows in a row were speech."""
    _in_a_row: int = 0
    _rest: bytes = b""
    _context: Floats = field(factory=lambda: np.zeros(CONTEXT_SAMPLES, np.float32), repr=False)
    _state: Floats = field(factory=first_state, repr=False)

    def hear(self, ulaw: bytes, limit_rms: float) -> bool:
        """Hear what comes next, n bytes of mu-law; return whether the utterance is proven to be speech by now."""
        for window in self.windows(ulaw):
            counts = window.probability >= self._min_probability and window.rms >= limit_rms
            self._in_a_row = self._in_a_row + 1 if counts else 0
            self.is_speech |= self._in_a_row >= WINDOWS_IN_A_ROW
        return self.is_speech

    def windows(self, ulaw: bytes) -> Iterator[Window]:
        """Hear what comes next and yield each window that is full; the rest waits for more."""
        sound = self._rest + ulaw
        whole = len(sound) - len(sound) % WINDOW_SAMPLES
        self._rest = sound[whole:]
        for start in range(0, whole, WINDOW_SAMPLES):
            window = sound[start : start + WINDOW_SAMPLES]
            samples = np.concatenate([self._context, decode(window) / np.float32(_FULL_SCALE)])
            self._context = samples[-CONTEXT_SAMPLES:]
            probability, self._state = self._model.judge(samples, self._state)
            yield Window(probability, rms(window))
