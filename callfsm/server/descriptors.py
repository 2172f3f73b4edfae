"""How many calls and connections fit below the file descriptors that the system gives us."""

import contextlib
import logging
import resource
import sys
from typing import Final

from attrs import evolve, frozen

from callfsm.config import Config
from callfsm.config_checks import ConfigError

RESERVE: Final = 32
"""Standard streams, the event loop's own, the listeners, the log; name look-ups, functions of the business and
reconnections, which come and go."""
OF_A_CALL: Final = 2
"""Its connection to OpenAI and its journal; its media socket is one of the public connections."""
OPERATORS_CONNECTIONS: Final = 32
FEW_DESCRIPTORS: Final = 256
OPERATORS_FEW_CONNECTIONS: Final = 8
SPARE_CONNECTIONS: Final = 100
"""Webhooks, clips and strangers, beside two connections a call."""
LEAST_SPARE_CONNECTIONS: Final = 8
LEAST_CALLS: Final = 4
_LOG: Final = logging.getLogger("callfsm.server")


@frozen
class Fit:
    """What fits: a configuration of so many calls and public connections, and the operator's connections."""

    config: Config
    operators_connections: int


def all_descriptors() -> int:
    """Raise the soft limit to the hard one; return how many files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Where the hard limit is "unlimited" a system may still refuse it; then the soft one stays.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft


def fitted(config: Config, descriptors: int) -> Fit:
    """Return the configuration with as many calls and connections as fit; raise ConfigError where too few do.

    Connections go before calls: a call needs one for its stream, and Twilio another one for its webhooks.
    """
    operators = OPERATORS_CONNECTIONS if descriptors >= FEW_DESCRIPTORS else OPERATORS_FEW_CONNECTIONS
    left = descriptors - RESERVE - operators
    wanted = config.limits.connections or SPARE_CONNECTIONS + 2 * config.max_calls
    calls = min(config.max_calls, (left - LEAST_SPARE_CONNECTIONS) // (OF_A_CALL + 2))
    connections = min(wanted, left - OF_A_CALL * calls)
    if calls < min(LEAST_CALLS, config.max_calls):
        raise ConfigError("RLIMIT_NOFILE", f"{descriptors} open files (ulimit -n) are too few to serve calls")
    if (calls, connections) != (config.max_calls, wanted):
        text = "[LIMITS] %d open files (ulimit -n) are enough for %d calls and %d connections, not for %d and %d"
        _LOG.warning(text, descriptors, calls, connections, config.max_calls, wanted)
    limits = evolve(config.limits, connections=connections)
    return Fit(evolve(config, max_calls=calls, limits=limits), operators)
