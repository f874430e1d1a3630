"""Runs the queries of the operations page, and holds their counts against the report's.

Needs the Python packages duckdb and chdb, and promtool; .ci/run installs all three.
"""

import collections
import datetime
import json
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import chdb.session
import duckdb

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "src" / "pages" / "operations.md").read_text()

# Connect type, reason, expected, initiator, trigger, code.
KINDS = [
    ("agent_to_client", "graceful", True, None, None, None),
    ("agent_to_client", "client_closed", True, "client", "end_of_file", "ssh:11"),
    ("server_to_agent", "server_shutdown", True, "server", None, "websocket:1001"),
    ("agent_to_client", "network_error", False, "network", "reset", None),
    ("server_to_agent", "control_plane_lost", False, "network", "keepalive_timeout", "websocket:1006"),
    ("agent_to_client", "process_exited", False, None, None, None),
    ("agent_to_client", "rejected", False, "agent", "max_age", None),
]
TRIGGERED = ("agent_to_client", "network_error", False, "network", "end_of_file", None)


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def query(title):
    found = [block for block in blocks("sql") if block.startswith(f"-- {title}\n")]
    assert len(found) == 1, f"{len(found)} queries are called {title!r}"
    return found[0].strip().removesuffix(";")


def record(kind, **numbers):
    connect_type, reason, expected, initiator, trigger, code = kind
    fields = {
        "connect_type": connect_type, "disconnect_reason": reason, "disconnect_expected": expected,
        "disconnect_initiator": initiator, "disconnect_trigger": trigger, "disconnect_code": code,
        "disconnect_detail": f"detail\n{random.randrange(3)}", **numbers,
    }
    return {key: value for key, value in fields.items() if value is not None}


def line(number, time, fields):
    """Every second line as slog-json writes it, every other as tracing does."""
    stamp = time.isoformat(timespec="milliseconds") + "Z"
    if number % 2:
        return {"timestamp": stamp, "level": "INFO", "host": "laptop", "fields": {"message": "closed", **fields}}
    return {"msg": "closed", "level": "INFO", "ts": stamp, "host": "laptop", **fields}


def write_log(path):
    """A day and an hour of ends: in the last hour one trigger jumps, with 60 silent seconds before each."""
    random.seed(1)
    start = datetime.datetime(2026, 1, 2, 3, 4, 5)
    ends = []
    for number in range(5000):
        numbers = {"connection_duration_ms": random.randrange(1000, 100_000)}
        if number % 7 == 0:
            numbers["peer_silence_ms"] = random.randrange(1000, 90_000)
        if number % 10 == 0:
            numbers["disconnect_origin"] = "server_to_agent"
        if number % 500 == 0:
            numbers["clock_jump_ms"] = 3_600_000
        time = start + datetime.timedelta(seconds=random.uniform(0, 24 * 3600))
        ends.append((time, record(random.choice(KINDS), **numbers)))
    for number in range(200):
        silence = 60_000 + random.randrange(200)
        time = start + datetime.timedelta(hours=24, seconds=number * 17)
        ends.append((time, record(TRIGGERED, connection_duration_ms=90_000, peer_silence_ms=silence)))
    ends.sort(key=lambda end: end[0])
    with path.open("w") as log:
        for number, (time, fields) in enumerate(ends):
            log.write(json.dumps(line(number, time, fields)) + "\n")
            if number % 100 == 0:
                log.write(json.dumps({"msg": "tick", "level": "DEBUG", "ts": time.isoformat() + "Z"}) + "\n")
    return [fields for _, fields in ends]


def reported(log):
    command = ["cargo", "run", "--quiet", "--locked", "-p", "disconnect-report", "--", "--json", str(log)]
    report = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    counts = collections.Counter()
    for kind in report["kinds"]:
        counts[kind["connect_type"], kind["disconnect_reason"], kind["disconnect_initiator"] or ""] += kind["count"] + kind["inherited"]
    return report, counts


def check(ask, engine, ends, reported_counts):
    """The queries of one engine, against what was written and what the report counted."""
    counts, original = collections.Counter(), 0
    for connect_type, reason, initiator, _trigger, count, originals in ask("how many ends, and how many original ones"):
        counts[connect_type, reason, initiator] += int(count)
        original += int(originals)
    assert counts == reported_counts, counts
    assert original == sum("disconnect_origin" not in end for end in ends)

    rows = ask("which ends came after a round number of silent seconds")
    assert [(int(row[0]), row[1], row[2], int(row[3])) for row in rows] == [
        (60, "agent_to_client", "end_of_file", 200),
    ], rows

    rows = ask("how long do connections live")
    assert sum(int(row[1]) for row in rows) == len(ends)
    assert all(1 <= float(row[2]) <= float(row[3]) <= 100 for row in rows), rows

    rows = ask("which trigger jumped in the last hour")
    assert [row[0] for row in rows] == ["end_of_file"] and 200 <= int(rows[0][1]) < 220, rows

    ((_machine, count, longest),) = ask("which machine slept")
    assert int(count) == 10 and float(longest) == 3600
    print(f"{engine}: every query gives what was written, and the same counts as the report")


def check_duckdb(log, ends, counts):
    connection = duckdb.connect()
    connection.execute(query("duckdb: the ends").replace("agent*.log", str(log.parent / "agent*.log")))
    check(lambda title: connection.execute(query(f"duckdb: {title}")).fetchall(), "duckdb", ends, counts)


def check_idle_proxy(directory):
    """A real proxy that drops idle connections after two seconds."""
    command = ["cargo", "run", "--quiet", "--locked", "-p", "disconnect-report", "--example", "idle_proxy"]
    log = directory / "agent-idle.log"
    log.write_bytes(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    connection = duckdb.connect()
    connection.execute(query("duckdb: the ends").replace("agent*.log", str(log)))
    sql = query("duckdb: which ends came after a round number of silent seconds")
    rows = connection.execute(sql).fetchall()
    assert rows == [(2, "agent_to_client", "end_of_file", 8)], rows
    print("duckdb: a proxy that drops idle connections after two seconds is found")


def check_clickhouse(log, ends, report, counts):
    session = chdb.session.Session()
    session.query("CREATE DATABASE logs")
    session.query("USE logs")
    for title in ["the table", "the lines", "from lines to ends"]:
        session.query(query(f"clickhouse: {title}"))
    session.query(f"INSERT INTO lines FROM INFILE '{log}' FORMAT LineAsString")

    def ask(title):
        return json.loads(str(session.query(query(f"clickhouse: {title}"), "JSONCompact")))["data"]

    check(ask, "clickhouse", ends, counts)
    peak = max(int(count) for _, count in ask("when the ends to look at clustered"))
    assert 0 < peak <= report["unexpected"]


def check_prometheus(directory):
    rules = directory / "rules.yaml"
    (text,) = blocks("yaml")
    rules.write_text(text)
    labels = 'connect_type="agent_to_client",disconnect_reason="network_error",disconnect_expected="false",disconnect_initiator="network"'
    lost = 'connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="network"'
    tests = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [{
            "interval": "1m",
            "input_series": [
                # A quiet day, then fifty a minute.
                {"series": f"disconnects_total{{{labels}}}", "values": "0+1x1440 1490+50x60"},
                {"series": f"disconnects_total{{{lost}}}", "values": "0x1440 1x60"},
            ],
            "alert_rule_test": [
                {"eval_time": "23h", "alertname": "UnexpectedDisconnectsJump", "exp_alerts": []},
                {"eval_time": "23h", "alertname": "ControlPlaneLost", "exp_alerts": []},
                {"eval_time": "24h2m", "alertname": "ControlPlaneLost", "exp_alerts": [
                    {"exp_annotations": {"summary": "An agent lost its server."}},
                ]},
                {"eval_time": "24h30m", "alertname": "UnexpectedDisconnectsJump", "exp_alerts": [{
                    "exp_labels": {"connect_type": "agent_to_client", "disconnect_reason": "network_error"},
                    "exp_annotations": {
                        "summary": "network_error on agent_to_client: three times the usual rate."
                    },
                }]},
            ],
        }],
    }
    test = directory / "test.yaml"
    test.write_text(json.dumps(tests))  # JSON is YAML
    subprocess.run(["promtool", "check", "rules", str(rules)], check=True)
    subprocess.run(["promtool", "test", "rules", str(test)], check=True)
    print("prometheus: the alerts fire as they should")


def main():
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        log = directory / "agent.log"
        ends = write_log(log)
        report, counts = reported(log)
        assert sum(counts.values()) == report["ends"] == len(ends)
        check_duckdb(log, ends, counts)
        check_clickhouse(log, ends, report, counts)
        check_prometheus(directory)
        check_idle_proxy(directory)


if __name__ == "__main__":
    sys.exit(main())
