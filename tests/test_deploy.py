"""The files of deploy/ as they stand: that systemd takes the unit, and that their numbers fit the server's own.

tests/server/test_deploy.py carries calls through the proxies, tests/test_alarms.py rings the alarms.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from callfsm.config import Config
from callfsm.server.descriptors import fitted

DEPLOY = Path(__file__).parents[1] / "deploy"
SECONDS = {"s": 1, "m": 60, "h": 3600}
CONFIG = fitted(Config(), 10**6).config
"""The defaults, with the number of connections that goes with them."""


def text_of(file: str) -> str:
    return (DEPLOY / file).read_text(encoding="utf-8")


def values(file: str, key: str) -> list[str]:
    """What stands behind a key, in each place."""
    found = re.findall(rf"^[^#\n]*\b{re.escape(key)}[ =](\S+?);?(?: |$)", text_of(file), re.MULTILINE)
    assert found, key
    return found


def seconds(file: str, key: str) -> float:
    """The shortest time that is given for a key, in seconds."""
    return min(float(value[:-1]) * SECONDS[value[-1]] for value in values(file, key))


def number(file: str, key: str) -> int:
    (value,) = set(values(file, key))
    return int(value)


def test_unit_waits_for_the_drain_and_gives_files_for_all_calls() -> None:
    unit = "callfsm.service"
    files = number(unit, "LimitNOFILE")

    assert number(unit, "TimeoutStopSec") > CONFIG.drain_s + 2
    assert fitted(Config(), files // 2).config == CONFIG
    assert values(unit, "RestartPreventExitStatus") == ["2"]
    assert values(unit, "EnvironmentFile") == ["/etc/callfsm/environment"]
    assert values(unit, "StateDirectoryMode") == ["0700"]
    assert values(unit, "UMask") == ["0077"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "callfsm.service"
    unit.write_text(text_of("callfsm.service").replace("/opt/callfsm/.venv/bin/python", sys.executable), "utf-8")
    verified = subprocess.run(  # noqa: S603
        ["systemd-analyze", "verify", "--man=no", str(unit)],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )

    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


@pytest.mark.parametrize("file", ["haproxy.cfg", "haproxy-several.cfg"])
def test_haproxy_outlives_every_call_and_asks_no_more_than_is_served(file: str) -> None:
    assert seconds(file, "hard-stop-after") > CONFIG.max_call_s
    assert seconds(file, "timeout tunnel") > CONFIG.max_call_s
    assert number(file, "check inter 2s fall 3 rise 1 maxconn") < CONFIG.limits.connections
    assert number(file, "sc0_conn_cur gt") > CONFIG.max_calls
    assert "option http-server-close\n" in text_of(file)
    assert " on-marked-down " not in text_of(file)


def test_nginx_outlives_every_call_and_asks_no_more_than_is_served() -> None:
    file = "nginx.conf"
    media = text_of(file).partition("location = /twilio/media {")[2].partition("}")[0]

    assert seconds(file, "worker_shutdown_timeout") > CONFIG.max_call_s
    assert "proxy_read_timeout 1h;" in media
    assert "proxy_send_timeout 1h;" in media
    assert "proxy_buffering off;" in media
    assert number(file, "max_conns") < CONFIG.limits.connections
    assert number(file, "limit_conn sources") > CONFIG.max_calls
    assert not re.search(r"^ *keepalive ", text_of(file), re.MULTILINE)


@pytest.mark.parametrize("file", ["haproxy.cfg", "nginx.conf"])
def test_body_of_the_proxy_is_the_servers(file: str) -> None:
    assert re.search(r"req\.body_size gt 65536|client_max_body_size 64k;", text_of(file))
