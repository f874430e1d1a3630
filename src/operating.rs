//! Operating it: what each reason means, what to check, what to alert on, and ready queries.
//!
//! # The reasons
//!
//! ## `graceful`
//!
//! `graceful`: ended cleanly. Expected.
//!
//! **Observed:** a goodbye was acknowledged, a session exited with status 0, or a terminal
//! closed without an error. For example, somebody types `exit` in a shell.
//!
//! **Usual causes:** the work was done.
//!
//! **Check:** nothing. A sudden flood of short graceful sessions is a client in a loop: group by
//! client.
//!
//! ## `client_closed`
//!
//! `client_closed`: the client closed without an error. Expected.
//!
//! **Observed:** the client said goodbye on purpose: a close frame, an SSH disconnect "by
//! application". For example, an IDE window is closed.
//!
//! **Usual causes:** terminal closed, IDE quit, browser tab left, laptop put to sleep by software
//! that says goodbye first.
//!
//! **Check:** nothing, unless users say that they did *not* close it: then look for a proxy
//! between them and the agent that ends idle connections politely.
//!
//! ## `server_shutdown`
//!
//! `server_shutdown`: the agent or the server is going away and closed a healthy connection on
//! the way. Expected.
//!
//! **Observed:** this side was shutting down, or the other side announced that it was (WebSocket
//! 1001 or 1012, HTTP/2 GOAWAY without an error). For example, the server is upgraded.
//!
//! **Usual causes:** deployment, restart, autoscaling, node drain.
//!
//! **Check:** that it matches a deployment. Without one, look for restarts: out of memory, a
//! failing health check, eviction.
//!
//! ## `workspace_stopped`
//!
//! `workspace_stopped`: the workspace was stopped or deleted under an open connection. Expected.
//!
//! **Observed:** the server said that the workspace stops while somebody was connected. For
//! example, the autostop schedule ends a workspace in the evening.
//!
//! **Usual causes:** autostop, a user's stop or delete, a template update that rebuilds.
//!
//! **Check:** nothing. If users complain, compare the autostop deadline with their working hours.
//!
//! ## `network_error`
//!
//! `network_error`: the transport failed. Look.
//!
//! **Observed:** end of file without a goodbye, a read or write error, a timeout. For example, a
//! laptop lid closes and the next write ends with `connection reset by peer`.
//!
//! **Usual causes:** sleep, Wi-Fi change, a crashed or killed peer, an expired NAT mapping, a
//! firewall or load balancer that drops idle connections.
//!
//! **Check:** one user or many? One: their link. Many at the same second: the relay, the load
//! balancer or the server that they share. Ends after a round number of idle seconds: an idle
//! timeout; send keepalives more often.
//!
//! ## `protocol_error`
//!
//! `protocol_error`: the bytes flowed but broke the protocol. Look.
//!
//! **Observed:** a frame, a packet or a handshake that could not be understood, or the peer said
//! that ours could not. For example, an HTTP proxy answers an SSH client in HTML.
//!
//! **Usual causes:** versions that do not match, something in between that rewrites traffic, a
//! port that belongs to another service, a bug on either side.
//!
//! **Check:** the detail and the close code, then the versions of both ends. A captive portal or
//! an inspecting proxy shows up as one network's users only.
//!
//! ## `control_plane_lost`
//!
//! `control_plane_lost`: the coordination RPC to the server is gone. Look.
//!
//! **Observed:** the agent can no longer reach its server; open data-plane connections may go on
//! working. For example, sessions stay alive while the dashboard shows the agent as lost.
//!
//! **Usual causes:** server outage, an expired token, DNS, an egress firewall.
//!
//! **Check:** the server's health first, then name resolution and egress from the agent's host.
//!
//! ## `process_exited`
//!
//! `process_exited`: the connection was healthy, the process behind the session was not. Look.
//!
//! **Observed:** the process ended with a non-zero status or by a signal. For example, a build
//! script run over SSH ends with status 2.
//!
//! **Usual causes:** the command failed, the kernel killed it for memory (`SIGKILL`), a shell whose
//! last command failed before `exit`.
//!
//! **Check:** `exit_code` and the detail. 255 with `SIGKILL`: the kernel log for the
//! out-of-memory killer. 126 and 127: the command could not be run or found.
//!
//! ## `rejected`
//!
//! `rejected`: one side refused. Look.
//!
//! **Observed:** a policy, an authentication, a limit or an unsupported request ended the
//! connection. For example, an SSH client asks for a subsystem that the agent does not offer.
//!
//! **Usual causes:** expired credentials, a changed permission, too many connections, a client
//! newer than the agent.
//!
//! **Check:** the detail and the close code; then who may do what, and the limits.
//!
//! ## `unknown`
//!
//! `unknown`: nobody could tell. Look: each such line is a bug.
//!
//! **Observed:** a connection ended at a place that did not classify it, or with an error or code
//! that means nothing in particular. For example, a task was cancelled before it could say why.
//!
//! **Usual causes:** a call site without a classification, a panic, an unlisted close code, a
//! reason from a newer version (its text is then the detail).
//!
//! **Check:** the detail, then the source line that logged it; teach that place its reason.
//!
//! # What to alert on
//!
//! Expected ends are for graphs. Of the others:
//!
//! | reason | alert |
//! |---|---|
//! | `control_plane_lost` | at once: an agent that its server can't see |
//! | `network_error` | on a jump over the usual rate; one user's Wi-Fi is no incident |
//! | `protocol_error` | on any steady rate, after releases above all |
//! | `rejected` | on a jump: an expired credential or a limit locks people out |
//! | `process_exited` | never by itself: it is the users' own commands |
//! | `unknown` | a ticket, not a page: some place in the code has to learn its reason |
//!
//! # Queries
//!
//! The same question everywhere: how many ends, by layer, reason and initiator, and which of them to look
//! at. `cargo run --example report -- agent.log` answers it for files, without any of these.
//!
//! tracing's JSON formatter puts fields under `fields`; with `flatten_event(true)` they stand at the top, as
//! slog-json writes them and as these queries expect them.
//!
//! ## DuckDB, over the files themselves
//!
//! ```sql
//! -- duckdb
//! SELECT connect_type, disconnect_reason, coalesce(disconnect_initiator, '') AS initiator, count(*) AS ends
//! FROM read_json(
//!     'agent*.log',
//!     format = 'newline_delimited', ignore_errors = true,
//!     columns = {
//!         connect_type: 'VARCHAR', disconnect_reason: 'VARCHAR', disconnect_expected: 'BOOLEAN',
//!         disconnect_initiator: 'VARCHAR', disconnect_detail: 'VARCHAR', ts: 'VARCHAR'
//!     }
//! )
//! WHERE disconnect_reason IS NOT NULL
//! GROUP BY ALL
//! ORDER BY ends DESC;
//! ```
//!
//! ## ClickHouse
//!
//! ```sql
//! -- clickhouse: the table
//! CREATE TABLE ends (
//!     ts DateTime64(9),
//!     msg String,
//!     connect_type LowCardinality(String),
//!     disconnect_reason LowCardinality(String),
//!     disconnect_expected Bool,
//!     disconnect_initiator LowCardinality(String),
//!     disconnect_detail String,
//!     disconnect_code LowCardinality(String),
//!     exit_code Nullable(Int32)
//! ) ENGINE = MergeTree ORDER BY (connect_type, disconnect_reason, ts);
//! ```
//!
//! ```sql
//! -- clickhouse: the counts
//! SELECT connect_type, disconnect_reason, disconnect_initiator AS initiator, count() AS ends
//! FROM ends
//! WHERE disconnect_reason != ''
//! GROUP BY ALL
//! ORDER BY ends DESC;
//! ```
//!
//! ```sql
//! -- clickhouse: when the ends to investigate clustered
//! SELECT toStartOfInterval(ts, INTERVAL 5 MINUTE) AS start, count() AS ends
//! FROM ends
//! WHERE disconnect_reason != '' AND NOT disconnect_expected
//! GROUP BY start
//! ORDER BY ends DESC
//! LIMIT 10;
//! ```
//!
//! ## Loki
//!
//! Labels stay few; the fields are read from the lines:
//!
//! ```logql
//! sum by (connect_type, disconnect_reason, disconnect_initiator) (
//!   count_over_time({app="agent"} | json | disconnect_reason != "" [1h])
//! )
//! ```
//!
//! ```logql
//! {app="agent"} | json | disconnect_expected="false" | line_format "{{.disconnect_reason}} {{.disconnect_detail}}"
//! ```
//!
//! ## Prometheus
//!
//! [`Disconnect::labels`](crate::Disconnect::labels) counted as `disconnects_total`, as the example `metrics` does:
//!
//! ```yaml
//! groups:
//!   - name: disconnects
//!     rules:
//!       - alert: ControlPlaneLost
//!         expr: sum(increase(disconnects_total{disconnect_reason="control_plane_lost"}[5m])) > 0
//!         annotations:
//!           summary: An agent lost its server.
//!       - alert: UnexpectedDisconnectsJump
//!         expr: |
//!           sum by (connect_type, disconnect_reason) (
//!             rate(disconnects_total{disconnect_expected="false", disconnect_reason!="process_exited"}[5m])
//!           ) > 3 * sum by (connect_type, disconnect_reason) (
//!             rate(disconnects_total{disconnect_expected="false", disconnect_reason!="process_exited"}[1d])
//!           )
//!         for: 10m
//!         annotations:
//!           summary: "{{ $labels.disconnect_reason }} on {{ $labels.connect_type }}: three times the usual rate."
//! ```
