"""The alarms of deploy/: that each rings when it should and not in a good hour, and that the page knows them all."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from callfsm.config import Config
from callfsm.detector.service import Detector
from callfsm.server.descriptors import fitted
from callfsm.server.metrics import Metrics

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy" / "prometheus-rules.yml"
ALERT = re.compile(r'- alert: (\w+)\n.*?severity: (\w+)\}\n +annotations: \{summary: "(.*?)"\}', re.DOTALL)
NAME = re.compile(r"\bcallfsm_\w+")
GROUP = re.compile(r"- name: (\w+)")
NEEDS_PROMTOOL = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def rules() -> str:
    return RULES.read_text(encoding="utf-8")


def registered(registry: CollectorRegistry) -> set[str]:
    """The names under which the metrics' samples are scraped."""
    names = set()
    for family in registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        names |= {family.name + suffix for suffix in suffixes}
    return names


def test_alarms_are_of_metrics_that_there_are() -> None:
    metrics = Metrics()
    detector = Detector(lambda: None, 0.5, metrics.registry)  # type: ignore[arg-type]
    detector.close()
    used = set(NAME.findall(rules())) - set(GROUP.findall(rules()))

    assert len(used) > 15
    assert used - registered(metrics.registry) == set()


def test_numbers_are_those_of_the_defaults() -> None:
    config = fitted(Config(), 10**6).config

    assert f"callfsm_active_calls > {config.max_calls * 0.8:g}\n" in rules()
    assert f'callfsm_connections{{listener="public"}} > {config.limits.connections * 0.8:g}' in rules()


def test_page_says_what_to_do_for_each_alarm_and_for_no_other() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    section = page.partition("\n## When an alarm rings\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(Callfsm\w+)` \| (\w+) \|", section, re.MULTILINE)

    assert rows == [(name, severity) for name, severity, _ in ALERT.findall(rules())]


# What they do. A minute is a step; each series is what promtool calls expanding notation.

GOOD = {
    'up{job="callfsm"}': "1x60",
    "callfsm_active_calls": "10x60",
    "callfsm_realtime_down": "0x60",
    'callfsm_calls_total{end="hangup"}': "0+10x60",
    'callfsm_calls_total{end="twilio_lost"}': "0+0x60",
    'callfsm_frames_total{gate="closed"}': "0+20000x60",
    'callfsm_frames_total{gate="open"}': "0+10000x60",
    'callfsm_reply_seconds_bucket{le="1.0"}': "0+20x60",
    'callfsm_reply_seconds_bucket{le="5.0"}': "0+20x60",
    'callfsm_reply_seconds_bucket{le="+Inf"}': "0+20x60",
    'callfsm_barge_in_seconds_bucket{le="0.01"}': "0+20x60",
    'callfsm_barge_in_seconds_bucket{le="+Inf"}': "0+20x60",
    'callfsm_loop_lag_seconds_bucket{le="0.01"}': "0+600x60",
    'callfsm_loop_lag_seconds_bucket{le="+Inf"}': "0+600x60",
    'callfsm_rejected_total{reason="transcript_too_short"}': "0+5x60",
    'callfsm_rejected_total{reason="stray_response"}': "0+5x60",
    'callfsm_rejected_total{reason="bad_signature"}': "0+9x60",
    'callfsm_realtime_errors_total{code="response_cancel_not_active"}': "0+5x60",
    'callfsm_interruptions_total{verdict="stopped"}': "0+10x60",
    'callfsm_interruptions_total{verdict="resumed"}': "0+2x60",
    'callfsm_line_total{news="follows"}': "0+1x60",
    'callfsm_connections{listener="public"}': "12x60",
    'callfsm_connections{listener="operator"}': "1x60",
    'callfsm_connections_refused_total{listener="public"}': "0x60",
    "callfsm_tasks": "80x60",
    'callfsm_journal_lost_lines_total{reason="failed"}': "0x60",
    'callfsm_journal_lost_lines_total{reason="without_header"}': "0+50x60",
    "callfsm_log_lines_lost_total": "0x60",
    "callfsm_journals_aborted_total": "0x60",
}
ONCE = "_x50 1x9"
"""A label that appears with its first event."""
LATE = {"0.01": "0+0x60", "5.0": "0+5x60", "+Inf": "0+9x60"}
HOST = {"instance": "one"}


def buckets(name: str) -> dict[str, str]:
    return {f'{name}_bucket{{le="{le}"}}': values for le, values in LATE.items()}


RINGS: list[tuple[str, dict[str, str], dict[str, str]]] = [
    # alarm                          what there is                                                     its labels
    ("CallfsmDown",                  {'up{job="callfsm"}': "1x50 0x9"},                                {"job": "callfsm"}),
    ("CallfsmOpenAiDown",            {"callfsm_realtime_down": "0x50 1x9"},                            {}),
    ("CallfsmCallsFail",             {'callfsm_calls_total{end="realtime_unreachable"}': "0+1x60", 'callfsm_calls_total{end="hangup"}': "0+9x60"}, {}),
    ("CallfsmBug",                   {'callfsm_calls_total{end="internal_error"}': ONCE},              {"end": "internal_error"}),
    ("CallfsmStreamsBreak",          {'callfsm_calls_total{end="twilio_lost"}': "0+1x60", 'callfsm_calls_total{end="hangup"}': "0+9x60"}, {}),
    ("CallfsmTurnedAway",            {'callfsm_rejected_total{reason="max_calls"}': ONCE},             {"reason": "max_calls"}),
    ("CallfsmNearlyFull",            {"callfsm_active_calls": "161x60"},                               {}),
    ("CallfsmSignaturesFail",        {'callfsm_rejected_total{reason="bad_signature"}': "0+1x60", "callfsm_active_calls": "0x60"}, {}),
    ("CallfsmRepliesSlow",           buckets("callfsm_reply_seconds"),                                 {}),
    ("CallfsmTranscriptsSlow",       buckets("callfsm_request_seconds"),                               {}),
    ("CallfsmTranscriptsMissing",    {'callfsm_transcripts_total{result="asked"}': "0+9x60", 'callfsm_transcripts_total{result="completed"}': "0+1x60"}, {}),
    ("CallfsmRealtimeErrors",        {'callfsm_realtime_errors_total{code="server_error"}': "0+1x60"}, {"code": "server_error"}),
    ("CallfsmLinesNoisy",            {'callfsm_interruptions_total{verdict="stopped"}': "0+9x99", 'callfsm_interruptions_total{verdict="resumed"}': "0+6x99"}, {}),
    ("CallfsmLineDeaf",              {'callfsm_line_total{news="deaf"}': ONCE},                        {"news": "deaf"}),
    ("CallfsmNotHebrew",             {'callfsm_rejected_total{reason="reply_not_hebrew"}': "0+1x60"},  {"reason": "reply_not_hebrew"}),
    ("CallfsmFunctionsFail",         {'callfsm_rejected_total{reason="tool_failed"}': "0+1x60"},       {"reason": "tool_failed"}),
    ("CallfsmBargeInSlow",           buckets("callfsm_barge_in_seconds"),                              {}),
    ("CallfsmLoopLate",              buckets("callfsm_loop_lag_seconds"),                              {}),
    ("CallfsmAudioLost",             {'callfsm_frames_total{gate="open"}': "0+26000x60", "callfsm_active_calls": "10x60"}, {}),
    ("CallfsmSequence",              {'callfsm_twilio_sequence_total{what="missing"}': ONCE},          {"what": "missing"}),
    ("CallfsmMalformed",             {'callfsm_malformed_total{peer="realtime"}': "0+1x60"},           {"peer": "realtime"}),
    ("CallfsmTasksGrow",             {"callfsm_tasks": "0+10x60", "callfsm_active_calls": "10x60", 'callfsm_connections{listener="public"}': "12x60"}, {}),
    ("CallfsmJournalLost",           {'callfsm_journal_lost_lines_total{reason="failed"}': "0x52 1x9"}, {"reason": "failed"}),
    ("CallfsmLogLost",               {"callfsm_log_lines_lost_total": "0x50 5x9"},                     {}),
    ("CallfsmJournalsAborted",       {"callfsm_journals_aborted_total": "0x50 2x9"},                   {}),
    ("CallfsmDetectorFailed",        {'callfsm_detector_total{result="failed"}': ONCE},                {"result": "failed"}),
    ("CallfsmDetectorDrops",         {'callfsm_detector_total{result="dropped"}': "0+2x60"},           {"result": "dropped"}),
    ("CallfsmDetectorSlow",          buckets("callfsm_detector_seconds"),                              {}),
    ("CallfsmConnectionsNearlyFull", {'callfsm_connections{listener="public"}': "401x60"},             {"listener": "public"}),
    ("CallfsmConnectionsRefused",    {'callfsm_connections_refused_total{listener="public"}': "0x50 1x9"}, {"listener": "public"}),
    ("CallfsmStrangers",             {'callfsm_rejected_total{reason="unsigned"}': "0+99x60"},         {}),
    ("CallfsmTokensFail",            {'callfsm_rejected_total{reason="token"}': "0+1x60"},             {"reason": "token"}),
    ("CallfsmAdminToken",            {'callfsm_rejected_total{reason="admin_token"}': "0+1x60"},       {"reason": "admin_token"}),
]  # fmt: skip


def rung(severity: str, summary: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"exp_labels": {**HOST, "severity": severity, **labels}, "exp_annotations": {"summary": summary}}


def silence() -> list[dict[str, Any]]:
    """What promtool is told of a good hour: every alarm is asked for, and none rings."""
    return [{"eval_time": "55m", "alertname": name, "exp_alerts": []} for name, _, _ in ALERT.findall(rules())]


def story(series: dict[str, str], alert_rule_test: list[dict[str, Any]]) -> dict[str, Any]:
    placed = [{"series": with_host(name), "values": values} for name, values in series.items()]
    return {"interval": "1m", "input_series": placed, "alert_rule_test": alert_rule_test}


def with_host(series: str) -> str:
    name, _, labels = series.partition("{")
    return f'{name}{{instance="one"{"," * bool(labels)}{labels or "}"}'


@NEEDS_PROMTOOL
def test_every_alarm_rings_when_it_should_and_none_in_a_good_hour(tmp_path: Path) -> None:
    said = {name: (severity, summary) for name, severity, summary in ALERT.findall(rules())}
    stories = [story(GOOD, silence())]
    for alarm, series, labels in RINGS:
        alerts = [rung(*said[alarm], labels)]
        stories.append(story(series, [{"eval_time": "55m", "alertname": alarm, "exp_alerts": alerts}]))
    file = tmp_path / "tests.yml"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "tests": stories}), encoding="utf-8")
    checked, tried = (
        subprocess.run(["promtool", *command], capture_output=True, text=True, check=False)  # noqa: S603, S607
        for command in (["check", "rules", str(RULES)], ["test", "rules", str(file)])
    )

    assert checked.returncode == 0, checked.stderr
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert [alarm for alarm, _, _ in RINGS] == list(said)
