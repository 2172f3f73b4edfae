"""The detector in step with the frames of a recording, as it is beside a call."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

from attrs import define, field

from callfsm.call import Call
from callfsm.config import GateConfig
from callfsm.detector.listener import Listener
from callfsm.detector.silero import Model, load
from callfsm.hearing.turn import Utterance


@define(eq=False)
class Doubts:
    """What the detector has heard of the utterance that the machine doubts; `frames` are those of the recording."""

    frames: Sequence[bytes]
    model: Model
    min_probability: float
    _utterance: Utterance | None = None
    _listener: Listener = field(init=False)
    _handed: int = 0

    def is_speech(self, call: Call) -> bool:
        """Have the detector hear what is new; say whether it is sure with this frame."""
        utterance = call.in_doubt
        if utterance is None:
            return False
        if utterance is not self._utterance:
            self._utterance, self._handed = utterance, 0
            self._listener = Listener(self.model, self.min_probability)
        news = [self.frames[int(number)] for number in islice(utterance.audio, self._handed, None)]
        self._handed += len(news)
        return self._listener.hear(b"".join(news), call.gate.proof_limit_rms)


_model = lru_cache(maxsize=1)(load)


def doubts_of(frames: Sequence[bytes], config: GateConfig) -> Doubts | None:
    """Return them, None where the detector is off; raise ConfigError where it is not installed."""
    return Doubts(frames, _model(config.detector_model), config.min_speech_probability) if config.detector else None
