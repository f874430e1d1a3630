#!/usr/bin/env bash
# The report over 1 GB of log beside what else counts the same: DuckDB with the documented query, jq, and grep.
#
#     examples/report/benches/report.sh [MEGABYTES]
#
# Two logs: a realistic one, in which 2 % of the lines are ends, and one of nothing but ends. Every command runs
# on one thread and on two, as often as RUNS asks, in turns; the best run counts, since others share the machine.
# `user + sys` is the time on all cores, which does not depend on what else runs. DuckDB needs Python's package
# `duckdb` for PYTHON; what is not installed is left out.
set -euo pipefail
package=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 - "$work" "${1:-1000}" <<'PY'
import json, random, sys
directory, megabytes = sys.argv[1], int(sys.argv[2])
random.seed(1)
kinds = [("agent_to_client", "graceful", True, None, None), ("agent_to_client", "client_closed", True, "client", "bye"),
         ("agent_to_client", "network_error", False, "network", "read failed: Connection reset by peer (os error 104)"),
         ("server_to_agent", "server_shutdown", True, "server", "server is restarting")]
chatter = ["derp route changed", "reported agent metadata", "accepted connection", "wireguard handshake completed"]

def line(number, share):
    line = {"msg": "closed", "level": "INFO", "ts": f"2026-01-02T03:{number % 60:02}:05.678901234Z", "session": number}
    if random.random() >= share:
        line |= {"msg": random.choice(chatter), "peer": f"10.0.{number % 256}.7:{number}",
                 "path": "/api/v2/workspaceagents/me/rpc", "latency_ms": random.random() * 100,
                 "node": "%032x" % random.getrandbits(128)}
    else:
        connect_type, reason, expected, initiator, detail = random.choice(kinds)
        if detail: line["disconnect_detail"] = detail
        if initiator: line["disconnect_initiator"] = initiator
        line |= {"disconnect_expected": expected, "disconnect_reason": reason, "connect_type": connect_type}
    return json.dumps(line, separators=(",", ":"))

for name, share in ("realistic", 0.02), ("ends", 1):
    block = "\n".join(line(number, share) for number in range(40_000)) + "\n"
    with open(f"{directory}/{name}.log", "w") as log:
        for _ in range(max(1, megabytes * 1_000_000 // len(block))):
            log.write(block)
PY

(cd "$package" && cargo build --release --quiet)
report=$(cd "$package" && cargo metadata --format-version 1 --no-deps |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/disconnect-report

# The documented query, from the page on operations: the view, then the counts over it.
"$python" - "$package/../../src/pages/operations.md" > "$work/query.sql" <<'PY'
import re, sys
page = open(sys.argv[1]).read()
for title in "duckdb: read lines", "both: the ends":
    print(re.search(rf"```sql\n-- {title}\n(.*?)```", page, re.S).group(1))
print(re.search(r"-- How many ends, and how many original ones\?\n(.*?;)", page, re.S).group(1))
PY
cat > "$work/duck.py" <<'PY'
import duckdb, sys
log, query, threads = sys.argv[1:]
connection = duckdb.connect()
connection.sql(f"SET threads = {threads}")
result = connection.execute(open(query).read().replace("agent*.log", log)).fetchall()
assert result, "no ends"
PY

"$python" - "$work" "$report" "$python" "${RUNS:-3}" <<'PY'
import importlib.util, os, shutil, subprocess, sys, time
work, report, python, runs = sys.argv[1:]
filter = "reduce inputs as $l ({}; if $l.disconnect_reason then .[$l.connect_type + \" \" + $l.disconnect_reason] += 1 else . end)"

def commands(log):
    for threads in "1", "2":
        yield f"disconnect-report, {threads} threads", [report, "--threads", threads, "--json", log]
    if importlib.util.find_spec("duckdb"):
        for threads in "1", "2":
            yield f"DuckDB, {threads} threads", [python, f"{work}/duck.py", log, f"{work}/query.sql", threads]
    yield "grep -c", ["grep", "-c", "disconnect_reason", log]
    if shutil.which("jq") and not os.environ.get("WITHOUT_JQ"):
        yield "jq", ["jq", "-n", filter, log]

def run(command):
    start = time.monotonic()
    # A pipe, since grep stops early where nothing reads its counts.
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024

for name in "realistic", "ends":
    log = f"{work}/{name}.log"
    size = os.path.getsize(log) / 1e9
    best = {}
    for round in range(int(runs)):
        for title, command in commands(log):
            if title == "jq" and round > 0:
                continue
            best.setdefault(title, []).append(run(command))
    print(f"{name}, {size:.2f} GB:")
    for title, times in best.items():
        wall, cpu, memory = (min(column) for column in zip(*times))
        print(f"  {title:<30} {wall:6.2f} s  {size / wall:6.2f} GB/s   user + sys {cpu:6.2f} s   {memory:7.1f} MiB")
PY
