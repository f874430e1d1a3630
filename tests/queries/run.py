"""Runs the queries of the page "Operating it" and holds their counts against the report's.

Needs the Python packages duckdb and chdb, and promtool; .ci/run installs all three.
"""

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

KINDS = [
    ("agent_to_client", "graceful", True, None, None),
    ("agent_to_client", "client_closed", True, "client", "ssh:11"),
    ("server_to_agent", "server_shutdown", True, "server", "websocket:1001"),
    ("agent_to_client", "network_error", False, "network", None),
    ("server_to_agent", "control_plane_lost", False, "network", "websocket:1006"),
    ("agent_to_client", "process_exited", False, None, None),
    ("agent_to_client", "rejected", False, "agent", None),
]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def query(title):
    found = [block for block in blocks("sql") if block.startswith(f"-- {title}\n")]
    assert len(found) == 1, f"{len(found)} queries are called {title!r}"
    return found[0].strip().removesuffix(";")


def write_log(path):
    random.seed(1)
    time = datetime.datetime(2026, 1, 2, 3, 4, 5)
    with path.open("w") as log:
        for number in range(5000):
            time += datetime.timedelta(seconds=random.expovariate(0.2))
            connect_type, reason, expected, initiator, code = random.choice(KINDS)
            line = {
                "msg": "closed", "level": "INFO", "ts": time.isoformat() + "Z",
                "connect_type": connect_type, "disconnect_reason": reason,
                "disconnect_expected": expected, "disconnect_detail": f"detail\n{number % 3}",
            }
            if initiator:
                line["disconnect_initiator"] = initiator
            if code:
                line["disconnect_code"] = code
            log.write(json.dumps(line) + "\n")
            if number % 100 == 0:
                log.write(json.dumps({"msg": "tick", "level": "DEBUG", "ts": line["ts"]}) + "\n")


def reported(log):
    command = ["cargo", "run", "--quiet", "--locked", "-p", "disconnect-report", "--", "--json", str(log)]
    report = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
    counts = {
        (kind["connect_type"], kind["disconnect_reason"], kind["disconnect_initiator"] or ""): kind["count"]
        for kind in report["kinds"]
    }
    return report, counts


def counts_of(rows):
    return {(connect_type, reason, initiator or ""): int(ends) for connect_type, reason, initiator, ends in rows}


def check_duckdb(log, expected):
    connection = duckdb.connect()
    sql = query("duckdb").replace("agent*.log", str(log.parent / "agent*.log"))
    assert counts_of(connection.execute(sql).fetchall()) == expected
    print("duckdb: same counts as the report")


def check_clickhouse(log, report, expected):
    session = chdb.session.Session()
    session.query("CREATE DATABASE logs")
    session.query("USE logs")
    session.query(query("clickhouse: the table"))
    session.query(
        f"INSERT INTO ends FROM INFILE '{log}' "
        "SETTINGS input_format_skip_unknown_fields = 1, date_time_input_format = 'best_effort' "
        "FORMAT JSONEachRow"
    )
    rows = json.loads(str(session.query(query("clickhouse: the counts"), "JSONCompact")))["data"]
    assert counts_of(rows) == expected, rows
    clusters = session.query(query("clickhouse: when the ends to investigate clustered"), "JSONCompact")
    peak = max(int(ends) for _, ends in json.loads(str(clusters))["data"])
    assert 0 < peak <= report["unexpected"]
    total = session.query("SELECT count() FROM ends WHERE disconnect_reason != '' AND NOT disconnect_expected", "TSV")
    assert int(str(total)) == report["unexpected"]
    print("clickhouse: same counts as the report")


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
        write_log(log)
        report, expected = reported(log)
        assert sum(expected.values()) == report["ends"] == 5000
        check_duckdb(log, expected)
        check_clickhouse(log, report, expected)
        check_prometheus(directory)


if __name__ == "__main__":
    sys.exit(main())
