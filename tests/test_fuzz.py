"""What fuzzing begins with and how it changes inputs. The fuzzer itself is not needed for it."""

import json
from pathlib import Path

import pytest

from tools.fuzz import seeds
from tools.fuzz.mutate import mutated
from tools.fuzz.targets import TARGETS

pytestmark = pytest.mark.no_cover


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    seeds.plant(folder)
    return folder


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds(corpus: Path, name: str) -> None:
    target = TARGETS[name]
    inputs = [path.read_bytes() for path in sorted((corpus / name).iterdir())]

    assert len(inputs) >= 3
    assert max(map(len, inputs)) <= target.most_bytes
    for data in inputs:
        target.run(data)


def test_what_json_is_changed_to_is_another_message_of_at_most_that_length() -> None:
    data = b'\x01\nO  {"type":"response.done","response":{"id":"r","output":[{"id":"a"}]}}'
    changed = [mutated(data, 200, seed, lambda same, _most: same) for seed in range(300)]

    assert max(map(len, changed)) <= 200
    others = {line[3:] for each in changed for line in each.split(b"\n") if line.startswith(b"O  ")} - {data[5:]}
    assert len(others) > 30
    assert any(
        json.loads(line) == {"type": "response.done", "response": None} for line in others if line.endswith(b"}")
    )


@pytest.mark.parametrize("data", [b"", b"\n\n", b"{", b"no json", b"[" * 5000])
def test_what_is_no_json_is_left_to_the_fuzzer(data: bytes) -> None:
    assert mutated(data, 100, 1, lambda same, _most: same + b"!") == data + b"!"
