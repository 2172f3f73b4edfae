"""Mutants of the abstraction: each bucket left out, and each component of one left out."""

from collections.abc import Hashable, Iterator

from attrs import evolve, frozen

from callfsm.audit.verify.abstraction import BUCKETS, Bucket
from callfsm.audit.verify.watch import Watch
from callfsm.call import Call

_COMPONENTS = {
    "greeting": 4, "open utterance": 5, "response": 7, "memory": 6, "debts": 4, "playback": 6,
    "keys and functions": 3,
}  # fmt: skip
"""How many values a bucket puts together."""
_OF_EACH = {"unsettled": 6, "unacknowledged": 2}
"""How many values of each of the utterances."""


@frozen
class BucketMutant:
    """The buckets with one of them made coarser."""

    name: str
    kind: str
    buckets: tuple[Bucket, ...]


def _hidden(value: Hashable, index: int) -> Hashable:
    return (*value[:index], *value[index + 1 :]) if isinstance(value, tuple) else value


def _with(bucket: Bucket, what: str, coarse: Bucket | None) -> BucketMutant:
    kept = [coarse if other is bucket else other for other in BUCKETS]
    name = f"abstraction, {bucket.name}: {what}"
    return BucketMutant(name, "bucket coarsened", tuple(other for other in kept if other is not None))


def _lacking(bucket: Bucket, index: int) -> Bucket:
    def of(call: Call, watch: Watch) -> Hashable:
        return _hidden(bucket.of(call, watch), index)

    return evolve(bucket, of=of)


def _lacking_of_each(bucket: Bucket, index: int) -> Bucket:
    def of(call: Call, watch: Watch) -> Hashable:
        value = bucket.of(call, watch)
        return tuple(_hidden(each, index) for each in value) if isinstance(value, tuple) else value

    return evolve(bucket, of=of)


def _counted(bucket: Bucket) -> Bucket:
    def of(call: Call, watch: Watch) -> Hashable:
        value = bucket.of(call, watch)
        return len(value) if isinstance(value, tuple) else value

    return evolve(bucket, of=of)


def bucket_mutants() -> Iterator[BucketMutant]:
    """Yield every mutant of the abstraction."""
    for bucket in BUCKETS:
        yield _with(bucket, "left out", None)
        for index in range(_COMPONENTS.get(bucket.name, 0)):
            yield _with(bucket, f"without its value {index + 1}", _lacking(bucket, index))
        for index in range(_OF_EACH.get(bucket.name, 0)):
            yield _with(bucket, f"without value {index + 1} of each", _lacking_of_each(bucket, index))
        if bucket.name in {"unsettled", "unacknowledged", "held frames", "calibration"}:
            yield _with(bucket, "only how many", _counted(bucket))
