"""The customer's rule: what the first moments of a call say of its line."""

from collections.abc import Iterable

from callfsm.config import GateConfig


def noise_floor(frames_rms: Iterable[float], config: GateConfig) -> float:
    """Return the mean RMS of the quiet frames among these, the default where there are none."""
    quiet = [rms for rms in frames_rms if rms < config.quiet_rms]
    return sum(quiet) / len(quiet) if quiet else config.default_noise_floor


def speech_threshold(noise_floor_rms: float, config: GateConfig) -> float:
    """Return the RMS from which a frame counts as sound on a line with this noise floor."""
    return min(config.max_threshold, noise_floor_rms + config.threshold_margin)
