"""Runs the queries of the operations page, and holds their counts against the report's.

Needs the Python packages duckdb and chdb, the npm packages @grafana/lezer-logql and @lezer/lr beside them, and promtool;
.ci/run installs them all.
"""

import collections
import datetime
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import chdb.session
import duckdb

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(sys.prefix)
PROGRAMS = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
FORMATS = ROOT / "tests" / "queries" / "formats.jsonl"
CLICKHOUSE = chdb.session.Session()
PAGE = (ROOT / "src" / "pages" / "operations.md").read_text()

# What Go agents write as a reason, and what it means: reason, trigger.
GO_TEXTS = {
    "normal exit": ("graceful", ""),
    "normal close": ("graceful", ""),
    "server shut down": ("server_shutdown", ""),
    "process exited with error status: 1": ("process_exited", ""),
    "process exited with error status: -1": ("unknown", ""),
    "process exited with error status: 11": ("process_exited", ""),
    "unsupported subsystem: x11": ("rejected", ""),
    "file transfer blocked by policy": ("rejected", ""),
    "read tcp 10.0.0.7:22->10.0.0.9:4711: read: connection reset by peer": ("network_error", "reset"),
    "write tcp 10.0.0.7:22->10.0.0.9:4711: write: broken pipe": ("network_error", "broken_pipe"),
    "EOF": ("network_error", "end_of_file"),
    "read session: unexpected EOF": ("network_error", "end_of_file"),
    "read tcp 10.0.0.7:22->10.0.0.9:4711: i/o timeout": ("network_error", "deadline"),
    "accept: use of closed network connection": ("network_error", "aborted"),
    "read tcp 10.0.0.7:22: read: connection timed out": ("network_error", "timed_out"),
    "dial tcp 10.0.0.1:443: connect: no route to host": ("network_error", "unreachable"),
    "dial tcp 10.0.0.1:443: connect: network is unreachable": ("network_error", "unreachable"),
    "dial tcp 10.0.0.1:443: connect: connection refused": ("network_error", "refused"),
    "yamux: keepalive timeout": ("network_error", "keepalive_timeout"),
    "wsarecv: An existing connection was forcibly closed by the remote host.": ("network_error", "reset"),
    "wsasend: An established connection was aborted by the software in your host machine.": (
        "network_error", "aborted"),
    "read tcp 10.0.0.7:22: The semaphore timeout period has expired.": ("network_error", "timed_out"),
    "connection reset by peer, again": ("unknown", ""),
    "wait: no child processes": ("unknown", ""),
}
EXPECTED = {"graceful", "client_closed", "server_shutdown", "workspace_stopped"}
UNEXPECTED = {"network_error", "protocol_error", "control_plane_lost", "process_exited", "rejected", "unknown"}
GO_TEXTS |= {word: (word, "") for word in EXPECTED | UNEXPECTED}

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


def statements(title):
    """The statements of the one SQL block that begins with this comment."""
    (block,) = [block for block in blocks("sql") if block.startswith(f"-- {title}\n")]
    return [statement for statement in re.split(r";\n|; --.*\n", block) if statement.strip()]


def question(title):
    """The one query whose comment begins with this question."""
    (found,) = [
        query for query in blocks("sql")[-1].split(";\n") if query.strip().startswith(f"-- {title}?")
    ]
    return found


def record(kind, **numbers):
    connect_type, reason, expected, initiator, trigger, code = kind
    fields = {
        "connect_type": connect_type, "disconnect_reason": reason, "disconnect_expected": expected,
        "disconnect_initiator": initiator, "disconnect_trigger": trigger, "disconnect_code": code,
        "disconnect_peer": "client" if reason == "network_error" else None,
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
        kind = random.choice(KINDS)
        numbers = {"connection_duration_ms": random.randrange(1000, 100_000)}
        if number % 7 == 0:
            numbers["peer_silence_ms"] = random.randrange(1000, 90_000)
        if number % 10 == 0:
            numbers["disconnect_origin"] = "server_to_agent"
        if number % 500 == 0:
            numbers["clock_jump_ms"] = 3_600_000
        if number % 500 == 250:
            numbers["clock_jump_ms"] = -5000
        time = start + datetime.timedelta(seconds=random.uniform(0, 24 * 3600))
        ends.append((time, record(kind, **numbers)))
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
    command = [PROGRAMS / "disconnect-report", "--json", log]
    report = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    counts = collections.Counter()
    for kind in report["kinds"]:
        counts[kind["connect_type"], kind["disconnect_reason"], kind["disconnect_initiator"] or ""] += kind["count"] + kind["inherited"]
    return report, counts


def duckdb_over(*logs):
    """Answers queries over these files, as the page sets DuckDB up."""
    connection = duckdb.connect()
    for statement in statements("duckdb: read lines") + statements("both: the ends"):
        connection.execute(statement.replace("'agent*.log'", str([str(log) for log in logs])))
    return lambda query: connection.execute(query).fetchall()


def clickhouse_over(*logs):
    """The same of ClickHouse's engine, which takes seconds to start."""
    CLICKHOUSE.query("DROP DATABASE IF EXISTS logs SYNC")
    CLICKHOUSE.query("CREATE DATABASE logs")
    CLICKHOUSE.query("USE logs")
    for statement in statements("clickhouse: read lines") + statements("both: the ends"):
        CLICKHOUSE.query(statement)
    for log in logs:
        CLICKHOUSE.query(f"INSERT INTO lines (line) FROM INFILE '{log}' FORMAT LineAsString")
    return lambda query: json.loads(str(CLICKHOUSE.query(query, "JSONCompact")))["data"]


def check_counts(ask, ends, reported_counts):
    """The questions about a day of ends, against what was written and what the report counted."""
    counts, original = collections.Counter(), 0
    for connect_type, reason, initiator, _trigger, peer, count, originals in ask(
        question("How many ends, and how many original ones")
    ):
        assert peer == ("client" if reason == "network_error" else ""), peer
        counts[connect_type, reason, initiator] += int(count)
        original += int(originals)
    assert counts == reported_counts, counts
    assert original == sum("disconnect_origin" not in end for end in ends)

    ((lines, json_lines, with_key, found, with_time),) = ask(question("Were ends and their times found among the lines"))
    assert int(lines) == int(json_lines) > len(ends)
    assert int(with_key) == int(found) == int(with_time) == len(ends)

    rows = ask(question("Which ends came after a round number of silent seconds"))
    assert [(int(row[0]), *row[1:4], int(row[4])) for row in rows] == [
        (60, "agent_to_client", "client", "end_of_file", 200),
    ], rows

    rows = ask(question("Which trigger jumped in the last hour"))
    assert [row[0] for row in rows] == ["end_of_file"] and 200 <= int(rows[0][1]) < 220, rows

    ((_machine, count, longest),) = ask(question("Which machine slept"))
    assert int(count) == 10 and float(longest) == 3600


def check_formats(ask):
    """One end in the format of each logger, and three lines that hold none."""
    rows = ask("SELECT DISTINCT connect_type, reason, expected, trigger FROM ends")
    assert [tuple(row) for row in rows] == [("agent_to_client", "network_error", False, "reset")], rows
    lines = FORMATS.read_text().splitlines()
    loggers = [line.split('"')[3] for line in lines[:12]]
    assert sorted(row[0] for row in ask("SELECT machine FROM ends")) == sorted(loggers)
    # Google's has whole seconds.
    instant = "2026-05-13 17:42:21.701"
    other = ask(f"SELECT machine FROM ends WHERE ts IS NULL OR date_trunc('millisecond', ts) != '{instant}'")
    assert [row[0] for row in other] == ["slogstackdriver"], other
    assert ask("SELECT machine FROM ends WHERE ts = '2026-05-13 17:42:21'") != []
    # A text line, and a record in a place that is not looked at.
    (row,) = ask(question("Were ends and their times found among the lines"))
    assert int(row[0]) == len(lines) == 15 and int(row[3]) == int(row[4]) == 12, row
    assert int(row[2]) > int(row[3]), row


def check_go_texts(ask):
    rows = ask("SELECT machine, reason, trigger, expected, detail FROM ends")
    assert len(rows) == len(GO_TEXTS)
    for text, reason, trigger, expected, detail in rows:
        assert (reason, trigger) == GO_TEXTS[text], (text, reason, trigger)
        assert expected == (reason in EXPECTED), text
        assert detail == ("" if text == reason else text), (text, detail)


def check_agents(ask):
    """Two agents: what went wrong and whose it was, how old connections got, how long they were away."""
    rows = ask(question("Which machine, and whose"))
    assert [(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows] == [
        ("timed_out", "ws-07", "amira", 9, 90), ("timed_out", "ws-02", "jo", 1, 10),
    ], rows
    rows = ask(question("How often and how long was an agent away"))
    assert [(row[0], int(row[1]), float(row[2]), float(row[3])) for row in rows] == [("ws-07", 2, 100, 90)], rows
    rows = ask(question("At which age do connections end, the expected ends too"))
    assert [(row[1], row[4], row[5], int(row[6]), int(row[7])) for row in rows[:1]] == [
        ("graceful", "websocket:1000", "ConnectionExpired: Reconnect to continue", 60, 4),
    ], rows
    rows = ask(question("Which half-open links were replaced after half a minute or more"))
    assert [(row[0], int(row[1]), float(row[2])) for row in rows] == [("ws-02", 1, 45)], rows


def write_agents(path):
    start = datetime.datetime(2026, 1, 2, 3, 4, 5)
    lines = []

    def write(seconds, machine, user, reason, **fields):
        fields = {f"disconnect_{key}" if key in ("trigger", "code", "detail") else key: value for key, value in fields.items()}
        time = (start + datetime.timedelta(seconds=seconds)).isoformat() + "Z"
        lines.append({"msg": "closed", "ts": time, "host": machine, "user": user,
            "connect_type": "agent_to_client", "disconnect_reason": reason, **fields})

    for number in range(10):
        machine, user = ("ws-02", "jo") if number == 4 else ("ws-07", "amira")
        write(number, machine, user, "network_error", trigger="timed_out")
    # An hour each, by the server: back at once, after 10 s, and after 90 s. A second connection fills a gap of 20 s.
    for seconds in (3600, 7200, 10810, 14500):
        write(seconds, "ws-07", "amira", "graceful", connect_type="server_to_agent", code="websocket:1000",
            detail="ConnectionExpired: Reconnect to continue", connection_duration_ms=3_600_000)
    write(14540, "ws-07", "amira", "network_error", connect_type="server_to_agent", trigger="reset",
        connection_duration_ms=20_000, disconnect_origin="server_to_agent")
    write(14560, "ws-07", "amira", "network_error", connect_type="server_to_agent", trigger="reset",
        connection_duration_ms=60_000, disconnect_origin="server_to_agent")
    write(99, "ws-02", "jo", "graceful", trigger="superseded", peer_silence_ms=45_000)
    write(100, "ws-02", "jo", "graceful", trigger="superseded", peer_silence_ms=10)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def check_sql(directory, log, ends, counts):
    texts, agents = directory / "texts.log", directory / "agents.log"
    texts.write_text("".join(
        json.dumps({"host": text, "fields": {"connect_type": "agent_to_client", "disconnect_reason": text}}) + "\n"
        for text in GO_TEXTS
    ))
    # What the library makes of them.
    meanings = collections.Counter()
    for kind in reported(texts)[0]["kinds"]:
        meanings[kind["disconnect_reason"], kind["disconnect_trigger"] or ""] += kind["count"]
    assert meanings == collections.Counter(GO_TEXTS.values()), meanings
    write_agents(agents)
    for engine, over in (("duckdb", duckdb_over), ("clickhouse", clickhouse_over)):
        check_counts(over(log), ends, counts)
        check_formats(over(FORMATS))
        check_go_texts(over(texts))
        check_agents(over(agents))
        print(f"{engine}: every query gives what was written, and the same counts as the report")


def check_idle_proxy(directory):
    """A real proxy that drops idle connections after two seconds."""
    log = directory / "agent-idle.log"
    log.write_bytes(subprocess.run(PROGRAMS / "examples" / "idle_proxy", check=True, capture_output=True).stdout)
    rows = duckdb_over(log)(question("Which ends came after a round number of silent seconds"))
    assert rows == [(2, "agent_to_client", "client", "end_of_file", 8)], rows
    print("duckdb: a proxy that drops idle connections after two seconds is found")


def check_logql():
    queries = [query.strip() for query in blocks("logql")[0].split("\n\n")]
    assert len(queries) == 4
    script = (ROOT / "tests" / "queries" / "logql.mjs").read_text()
    command = ["node", "--input-type=module", "--eval", script, "--"]
    subprocess.run(command + queries, cwd=PACKAGES, check=True)
    # A test that can't fail is none.
    broken = subprocess.run(command + [queries[0].replace("| json", "| jso")], cwd=PACKAGES, capture_output=True)
    assert broken.returncode == 1, broken
    print("loki: every query is LogQL")


def exported():
    """What the sample exports before anything was lost: value by series."""
    sample = subprocess.Popen([PROGRAMS / "metrics", "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        url = sample.stdout.readline().split()[1]
        text = urllib.request.urlopen(url).read().decode()
    finally:
        sample.kill()
        sample.wait()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("disconnects_total{"))


def check_prometheus(directory):
    rules = directory / "rules.yaml"
    (text,) = blocks("yaml")
    rules.write_text(text)
    labels = 'connect_type="agent_to_client",disconnect_reason="network_error",disconnect_expected="false",disconnect_initiator="network"'
    jump = f"disconnects_total{{{labels}}}"
    begins = exported()

    def lost(initiator):
        """A day without an event, as the sample begins it, and the first event."""
        series = f'disconnects_total{{connect_type="server_to_agent",disconnect_reason="control_plane_lost",disconnect_expected="false",disconnect_initiator="{initiator}"}}'
        return {
            "interval": "1m",
            "input_series": [{"series": series, "values": f"{begins.get(series, '_')}x1439 1x60"}],
            "alert_rule_test": [
                {"eval_time": "23h", "alertname": "ControlPlaneLost", "exp_alerts": []},
                {"eval_time": "24h2m", "alertname": "ControlPlaneLost", "exp_alerts": [
                    {"exp_annotations": {"summary": "An agent lost its server."}},
                ]},
                {"eval_time": "24h10m", "alertname": "ControlPlaneLost", "exp_alerts": []},
            ],
        }

    tests = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [lost(initiator) for initiator in ("client", "agent", "server", "network", "unknown")] + [{
            "interval": "1m",
            # A quiet day, then fifty a minute.
            "input_series": [{"series": jump, "values": "0+1x1440 1490+50x60"}],
            "alert_rule_test": [
                {"eval_time": "23h", "alertname": "UnexpectedDisconnectsJump", "exp_alerts": []},
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
    # As the gate's tests do: after them there is nothing to build.
    build = ["cargo", "build", "--quiet", "--locked", "--workspace", "--all-features", "--bins", "--examples"]
    subprocess.run(build, cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as directory:
        directory = Path(directory)
        log = directory / "agent.log"
        ends = write_log(log)
        report, counts = reported(log)
        assert sum(counts.values()) == report["ends"] == len(ends)
        check_sql(directory, log, ends, counts)
        check_logql()
        check_prometheus(directory)
        check_idle_proxy(directory)


if __name__ == "__main__":
    sys.exit(main())
