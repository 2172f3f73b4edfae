"""The command: what it prints of a recording, draws, and says of what it cannot use."""

import json
import wave
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from callfsm.audit.hear.command import main
from callfsm.hearing.wav import write_wav
from tests.audit.hear.test_rows import LINE, PLAYED, QUESTION, mixed, placed

FIELDS = {"at_ms", "rms", "limit", "sent", "stopped", "confirmed", "resumed"}


@pytest.fixture
def near(tmp_path: Path) -> Path:
    """A question over the assistant, at 6 s of 12."""
    path = tmp_path / "near.wav"
    write_wav(path, mixed(LINE, placed(QUESTION, 6000, 12_000)))
    return path


@pytest.fixture
def far(tmp_path: Path) -> Path:
    path = tmp_path / "far.wav"
    write_wav(path, PLAYED)
    return path


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert main([str(argument) for argument in arguments]) == 0
    return capsys.readouterr().out.splitlines()


def objects(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_json_is_one_object_a_frame(near: Path, far: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(said(capsys, near, "--played", far, "--json"))

    assert list(range(0, 12_000, 20)) == [one["at_ms"] for one in found]
    assert {frozenset(FIELDS)} == {frozenset(one) for one in found}
    assert [True] == [one["stopped"] for one in found if one["stopped"]]


def test_json_of_several_files_names_them(near: Path, far: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = objects(said(capsys, near, far, "--json"))

    assert [str(near)] * 600 + [str(far)] * 600 == [one["file"] for one in found]


def test_frames_are_printed_each_with_its_limit_and_what_it_did(
    near: Path, far: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said(capsys, near, "--played", far)

    assert [f"{near}: 12.00 s"] == lines[:1]
    assert 600 == sum("|" in line for line in lines)
    (stop,) = [line for line in lines if "|" in line and "stopped" in line]
    assert stop.endswith("sent stopped")
    assert any(line.endswith("sent confirmed") for line in lines)


def test_summary_tells_each_stop_and_its_verdict(near: Path, far: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, near, "--played", far, "--summary")

    assert "  stopped: 1, confirmed: 1, resumed: 0" in lines
    assert 4 == len(lines)
    assert "confirmed after" in lines[-1]


def test_settings_are_those_of_the_configuration(near: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deaf = ["--set", "gate.default_threshold=30000.0", "--set", "gate.calibration_ms=60000"]

    assert not any(one["sent"] for one in objects(said(capsys, near, "--json", *deaf)))


def test_configuration_may_come_from_a_file(near: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "callfsm.toml"
    config.write_text("[gate]\nthreshold_margin = 500.0\nmax_threshold = 700.0\n")

    found = objects(said(capsys, near, "--json", "--config", config))

    assert 500 < found[-1]["limit"] < 560


def test_picture_is_an_svg_of_its_own(near: Path, far: Path, tmp_path: Path) -> None:
    main([str(near), "--played", str(far), "--summary", "--svg", str(tmp_path / "hear.svg")])

    root = ET.parse(tmp_path / "hear.svg").getroot()  # noqa: S314 - it is our own
    assert {"stopped", "confirmed"} == {node.text for node in root.iter("{http://www.w3.org/2000/svg}title")}


def test_pictures_of_several_files_are_several(near: Path, far: Path, tmp_path: Path) -> None:
    main([str(near), str(far), "--summary", "--svg", str(tmp_path / "hear.svg")])

    assert ["hear-far.svg", "hear-near.svg"] == sorted(path.name for path in tmp_path.glob("*.svg"))


def stereo(path: Path) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(4000))
    return path


@pytest.mark.parametrize("what", ["F", "--played"])
def test_file_of_another_kind_is_named(
    what: str, near: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = stereo(tmp_path / "stereo.wav")
    arguments = {"F": [str(bad)], "--played": [str(near), "--played", str(bad)]}[what]

    assert 2 == main(arguments)
    assert f"callfsm hear: {bad}: has 2 channels, not 1\n" == capsys.readouterr().err


def test_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main([str(tmp_path / "none.wav")])
    assert f"callfsm hear: {tmp_path / 'none.wav'}: No such file or directory\n" == capsys.readouterr().err


def test_setting_that_is_none_is_named(near: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == main([str(near), "--set", "gate.loudness=3"])
    assert "callfsm hear: gate.loudness: is not a key of the configuration\n" == capsys.readouterr().err


def test_recording_of_less_than_a_frame_has_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wav(tmp_path / "short.wav", b"\xff" * 100)

    assert [] == said(capsys, tmp_path / "short.wav", "--json")
    assert f"{tmp_path / 'short.wav'}: 0.00 s" == said(capsys, tmp_path / "short.wav", "--svg", tmp_path / "s.svg")[0]


@pytest.mark.parametrize("what", ["near", "far"])
def test_recording_is_not_overwritten_by_its_picture(
    what: str, near: Path, far: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = {"near": near, "far": far}[what]
    held = picture.read_bytes()

    assert 2 == main([str(near), "--played", str(far), "--svg", str(picture)])
    assert f"callfsm hear: {picture}: is a recording, and would be lost\n" == capsys.readouterr().err
    assert held == picture.read_bytes()
