//! The record: constructors, setters and getters, labels, and the one readable text.

use std::time::Duration;

use disconnect_attribution::ConnectType::ServerToAgent;
use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, Rejected, ServerShutdown,
};
use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};

use crate::support::{bare, end, full};

/// Every field that may be absent, in the order of the schema.
fn optional(end: &Disconnect) -> [Option<String>; 13] {
    fn text(value: Option<impl std::fmt::Debug>) -> Option<String> {
        value.map(|value| format!("{value:?}"))
    }
    [
        text(end.initiator()),
        text(end.trigger()),
        text(end.code()),
        text(end.detail()),
        text(end.origin()),
        text(end.exit_code()),
        text(end.connection_method()),
        text(end.connection_duration()),
        text(end.peer_silence()),
        text(end.bytes_received()),
        text(end.bytes_sent()),
        text(end.clock_jump()),
        text(end.peer()),
    ]
}

#[test]
fn each_setter_sets_its_own_field_and_no_other() {
    // The setter, the record, and the fields that are there: place and value.
    type Row = (&'static str, Disconnect, &'static [(usize, &'static str)]);

    let second = Duration::from_secs(1);
    let rows: [Row; 13] = [
        ("initiator", bare().with_initiator(Initiator::Client), &[(0, "Client")]),
        ("trigger", bare().with_trigger(Trigger::MaxAge), &[(1, "MaxAge")]),
        ("code", bare().with_code(CloseCode::Tls(40)), &[(2, "Tls(40)")]),
        ("detail", bare().with_detail("lid closed"), &[(3, "\"lid closed\"")]),
        ("exit code", bare().with_exit_code(-1), &[(5, "-1")]),
        ("method", bare().with_connection_method(ConnectionMethod::Derp), &[(6, "Derp")]),
        ("duration", bare().with_connection_duration(second), &[(7, "1s")]),
        ("silence", bare().with_peer_silence(second), &[(8, "1s")]),
        ("bytes", bare().with_bytes(1, 2), &[(9, "1"), (10, "2")]),
        ("clock jump", bare().with_clock_jump(-1), &[(11, "-1")]),
        ("peer", bare().with_peer(Initiator::Agent), &[(12, "Agent")]),
        ("no peer", bare().with_peer(Initiator::Agent).with_peer(Initiator::Network), &[]),
        ("reason", bare().with_reason(Rejected), &[]),
    ];
    for (setter, end, fields) in rows {
        let mut expected = [const { None }; 13];
        for (index, value) in fields {
            expected[*index] = Some((*value).to_owned());
        }
        assert_eq!(optional(&end), expected, "{setter}");
        let reason = if setter == "reason" { Rejected } else { Graceful };
        assert_eq!((end.connect_type(), end.reason()), (ServerToAgent, reason));
        assert_eq!(end == bare(), setter == "no peer", "{setter} counts in a comparison");
    }
}

#[test]
fn the_last_value_that_a_setter_was_given_counts() {
    let first =
        full().with_initiator(Initiator::Client).with_bytes(1, 2).with_clock_jump(5000).with_exit_code(1);
    let end = first.with_initiator(Initiator::Unknown).with_bytes(0, 0).with_clock_jump(0).with_exit_code(0);
    assert_eq!((end.initiator(), end.exit_code()), (Some(Initiator::Unknown), Some(0)));
    assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(0), Some(0)));
    assert_eq!(end.clock_jump(), None, "0 is none");
    assert_eq!(bare().with_clock_jump(5).with_clock_jump(0), bare(), "and leaves no trace");
}

#[test]
fn durations_are_kept_as_whole_milliseconds() {
    let longest = Duration::from_millis(u64::MAX);
    let rows = [
        (Duration::ZERO, Duration::ZERO),
        (Duration::from_nanos(999_999), Duration::ZERO),
        (Duration::from_micros(61_000_999), Duration::from_secs(61)),
        (longest, longest),
        (longest + Duration::from_millis(1), longest),
        (Duration::MAX, longest),
    ];
    for (given, kept) in rows {
        let end = bare().with_connection_duration(given).with_peer_silence(given);
        assert_eq!(end.connection_duration(), Some(kept));
        assert_eq!(end.peer_silence(), Some(kept));
    }
    for jump in [i64::MIN, -1, 1, 999, i64::MAX] {
        assert_eq!(bare().with_clock_jump(jump).clock_jump(), Some(jump));
    }
}

#[test]
fn a_shutdown_and_a_deliberate_end_are_a_sides() {
    use Initiator::{Agent, Client, Network, Server};
    // The side, then reason and initiator of its shutdown, then of its deliberate end.
    let rows = [
        (Client, (ClientClosed, Some(Client)), (ClientClosed, Some(Client))),
        (Agent, (ServerShutdown, Some(Agent)), (Graceful, Some(Agent))),
        (Server, (ServerShutdown, Some(Server)), (Graceful, Some(Server))),
        // These are no sides.
        (Network, (ServerShutdown, None), (Graceful, None)),
        (Initiator::Unknown, (ServerShutdown, None), (Graceful, None)),
    ];
    for &connect_type in ConnectType::VARIANTS {
        let record = |(reason, side): (_, Option<Initiator>)| {
            let end = Disconnect::new(connect_type, reason);
            side.map_or(end.clone(), |side| end.with_initiator(side))
        };
        for (side, shutdown, closed) in rows {
            assert_eq!(Disconnect::shutdown(connect_type, side), record(shutdown));
            assert_eq!(Disconnect::closed_by(connect_type, side), record(closed));
        }
    }
}

#[test]
fn a_reason_decides_what_is_expected_and_is_the_report_without_a_detail() {
    for &reason in DisconnectReason::VARIANTS {
        for end in [full(), bare()] {
            assert_eq!(end.with_reason(reason).expected(), reason.expected());
        }
        assert_eq!(end(reason).report_reason(), reason.as_str());
        assert_eq!(end(reason).with_detail(" ").report_reason(), reason.as_str());
        assert_eq!(end(reason).with_detail("why").report_reason(), "why");
    }
}

#[test]
fn labels_hold_the_vocabulary_and_no_free_text() {
    assert_eq!(
        full().labels(),
        [
            ("connect_type", "agent_to_client"),
            ("disconnect_reason", "process_exited"),
            ("disconnect_expected", "false"),
            ("disconnect_initiator", "agent"),
        ],
    );
    assert_eq!(bare().labels()[2..], [("disconnect_expected", "true"), ("disconnect_initiator", "unknown")]);
    let mut series = std::collections::HashSet::new();
    for &connect_type in ConnectType::VARIANTS {
        for &reason in DisconnectReason::VARIANTS {
            let end = Disconnect::new(connect_type, reason).with_detail("free text");
            series.insert(end.labels());
            for &initiator in Initiator::VARIANTS {
                series.insert(end.clone().with_initiator(initiator).labels());
            }
        }
    }
    assert_eq!(series.len(), 150, "a missing initiator is no series of its own");
}

#[test]
fn a_record_reads_as_one_part_of_a_sentence() {
    let rows = [
        (bare(), "server_to_agent ended: graceful"),
        (bare().with_detail("two\nlines"), r"server_to_agent ended: graceful: two\nlines"),
        (bare().with_exit_code(0), "server_to_agent ended: graceful (exit code 0)"),
        (
            end(NetworkError).with_initiator(Initiator::Network).with_trigger(Trigger::Reset),
            "agent_to_client ended by network: network_error (reset)",
        ),
        (
            full(),
            "agent_to_client ended by agent: process_exited (max_age, ssh:11, peer client, exit code 7, direct, \
             from server_to_agent, open 61234 ms, peer silent 60000 ms, \
             received 18446744073709551615 B, sent 0 B, clock jumped -3600000 ms): \
             process exited with error status: 7",
        ),
    ];
    for (end, text) in rows {
        assert_eq!(end.to_string(), text);
    }
}
