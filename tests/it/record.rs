//! The record: constructors, setters and getters, labels, and the one readable text.

use std::time::Duration;

use disconnect_attribution::DisconnectReason::{
    ClientClosed, Graceful, NetworkError, Rejected, ServerShutdown,
};
use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, Trigger,
};

use crate::support::{bare, end, full};

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
    let free = bare().with_detail("free text").with_exit_code(1);
    assert_eq!(free.labels(), bare().labels());
    assert_eq!(free.with_initiator(Initiator::Unknown).labels(), bare().labels(), "no series of its own");
}

/// Each setter sets its own field and no other.
#[test]
fn a_record_reads_as_one_part_of_a_sentence() {
    let second = Duration::from_secs(1);
    let rows = [
        (bare(), ""),
        (bare().with_trigger(Trigger::MaxAge), " (max_age)"),
        (bare().with_code(CloseCode::Tls(40)), " (tls:40)"),
        (bare().with_detail("two\nlines"), r": two\nlines"),
        (bare().with_exit_code(-1), " (exit code -1)"),
        (bare().with_connection_method(ConnectionMethod::Derp), " (derp)"),
        (bare().with_connection_duration(second), " (open 1000 ms)"),
        (bare().with_peer_silence(second), " (peer silent 1000 ms)"),
        (bare().with_bytes(1, 2), " (received 1 B, sent 2 B)"),
        (bare().with_clock_jump(-1), " (clock jumped -1 ms)"),
        (bare().with_peer(Initiator::Agent), " (peer agent)"),
        (bare().with_peer(Initiator::Agent).with_peer(Initiator::Network), ""),
    ];
    for (end, text) in rows {
        assert_eq!(end.to_string(), format!("server_to_agent ended: graceful{text}"));
        assert_eq!(end == bare(), text.is_empty(), "{text}: it counts in a comparison");
    }
    let end = end(Rejected).with_initiator(Initiator::Client).with_reason(NetworkError);
    assert_eq!(end.to_string(), "agent_to_client ended by client: network_error");
    assert_eq!(
        full().to_string(),
        "agent_to_client ended by agent: process_exited (max_age, ssh:11, peer client, exit code 7, direct, from \
         server_to_agent, open 61234 ms, peer silent 60000 ms, received 18446744073709551615 B, sent 0 B, clock jumped \
         -3600000 ms): process exited with error status: 7",
    );
}
