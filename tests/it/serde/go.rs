//! What Go agents write: their lines as their JSON sinks print them, and the texts that they use as a reason.

use disconnect_attribution::DisconnectReason::{
    Graceful, NetworkError, ProcessExited, Rejected, ServerShutdown, Unknown,
};
use disconnect_attribution::Trigger::{
    Aborted, BrokenPipe, Deadline, EndOfFile, KeepaliveTimeout, Refused, Reset, TimedOut, Unreachable,
};
use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, Initiator, Trigger};
use serde_json::json;

use super::read;
use crate::support::{end, network_error, shutdown};

/// Fields of the agent's own beside ours; the error is a list whose last string is the cause.
const SLOGJSON: &str = r#"{"ts":"2026-05-13T17:42:21.701Z","level":"DEBUG","msg":"disconnected from derp map RPC","caller":"agent/agent.go:1021","func":"agent.(*agent).runDERPMapSubscriber","logger_names":["agent"],"fields":{"connect_type":"server_to_agent","disconnect_reason":"network_error","disconnect_expected":false,"disconnect_initiator":"network","error":[{"msg":"read","fun":"f","loc":"agent.go:1"},"EOF"]}}"#;

#[test]
fn newer_keys_and_an_error_beside_ours_change_nothing() {
    let layer = ConnectType::ServerToAgent;
    let lost = Disconnect::new(layer, NetworkError).with_initiator(Initiator::Network);
    assert_eq!(read(SLOGJSON), lost);
    let line = json!({"connect_type": "server_to_agent", "disconnect_reason": "network_error",
        "disconnect_expected": false, "disconnect_initiator": "network", "build_id": "6d0f",
        "build_reason": "autostop", "transition": "stop", "client_session_id": null,
        "error": "context canceled"});
    assert_eq!(read(&line.to_string()), lost);
    assert_eq!(read(&json!({"fields": line}).to_string()), lost);
}

#[test]
fn lines_of_its_json_sink_read_back() {
    // The fields beside the layer and the flag.
    let rows = [
        // The SSH line names no initiator, and puts the session's text into the reason.
        (
            json!({"disconnect_reason": "process exited with error status: 1", "exit_code": 1}),
            end(ProcessExited).with_detail("process exited with error status: 1").with_exit_code(1),
        ),
        // A signal, which a session whose link died is hung up with.
        (
            json!({"disconnect_reason": "process exited with error status: -1", "exit_code": 255}),
            end(Unknown).with_detail("process exited with error status: -1").with_exit_code(255),
        ),
        // At a shutdown the session's text moves to the detail.
        (
            json!({"disconnect_reason": "server_shutdown", "disconnect_initiator": "agent",
                "disconnect_detail": "process exited with error status: -1", "exit_code": 255}),
            shutdown().with_detail("process exited with error status: -1").with_exit_code(255),
        ),
        (
            json!({"disconnect_reason": "graceful", "exit_code": 0, "disconnect_detail": ""}),
            end(Graceful).with_exit_code(0),
        ),
        // SFTP that succeeded.
        (json!({"disconnect_reason": "unknown", "exit_code": 0}), end(Unknown).with_exit_code(0)),
    ];
    for (mut fields, expected) in rows {
        fields["connect_type"] = json!("agent_to_client");
        fields["disconnect_expected"] = json!(expected.expected());
        // As slogjson nests them, and flat as slogstackdriver and Go's own log/slog do.
        let nested =
            json!({"ts": "2026-05-13T17:42:22.015Z", "level": "INFO", "msg": "closed", "fields": fields});
        let mut flat = fields.clone();
        flat["message"] = json!("closed");
        flat["severity"] = json!(200);
        flat["timestampSeconds"] = json!(1_778_694_142);
        flat["timestampNanos"] = json!(15_000_000);
        for line in [fields, nested, flat] {
            assert_eq!(read(&line.to_string()), expected, "{line}");
        }
    }
}

/// A text, and the reason and trigger that it means.
const TEXTS: [(&str, DisconnectReason, Option<Trigger>); 40] = [
    ("process exited with error status: 1", ProcessExited, None),
    ("process exited with error status: -1", Unknown, None),
    ("process exited with error status: -12", ProcessExited, None),
    ("process exited with error status: 3221225786", ProcessExited, None),
    ("unsupported subsystem: telnet", Rejected, None),
    ("unsupported subsystem: EOF", Rejected, None),
    ("file transfer blocked", Rejected, None),
    ("file transfer blocked: sftp is not allowed", Rejected, None),
    ("normal exit", Graceful, None),
    ("normal close", Graceful, None),
    ("server shut down", ServerShutdown, None),
    // The endings that name what was seen.
    ("read tcp 10.0.0.7:2222->10.0.0.9:50022: read: connection reset by peer", NetworkError, Some(Reset)),
    ("connection reset by peer", NetworkError, Some(Reset)),
    ("write tcp 10.0.0.7:2222->10.0.0.9:50022: write: broken pipe", NetworkError, Some(BrokenPipe)),
    ("EOF", NetworkError, Some(EndOfFile)),
    ("unexpected EOF", NetworkError, Some(EndOfFile)),
    ("copy: EOF", NetworkError, Some(EndOfFile)),
    ("read tcp 10.0.0.7:2222: i/o timeout", NetworkError, Some(Deadline)),
    ("accept tcp 10.0.0.7:2222: use of closed network connection", NetworkError, Some(Aborted)),
    ("read tcp 10.0.0.7:22: read: connection timed out", NetworkError, Some(TimedOut)),
    ("dial tcp 10.0.0.9:443: connect: no route to host", NetworkError, Some(Unreachable)),
    ("dial tcp 10.0.0.9:443: connect: network is unreachable", NetworkError, Some(Unreachable)),
    ("dial tcp 10.0.0.9:443: connect: connection refused", NetworkError, Some(Refused)),
    ("yamux: keepalive timeout", NetworkError, Some(KeepaliveTimeout)),
    ("wsarecv: An existing connection was forcibly closed by the remote host.", NetworkError, Some(Reset)),
    (
        "wsasend: An established connection was aborted by the software in your host machine.",
        NetworkError,
        Some(Aborted),
    ),
    ("read tcp: The semaphore timeout period has expired.", NetworkError, Some(TimedOut)),
    // Near misses: the text goes on, or an ending is part of another word.
    ("EOF: and more", Unknown, None),
    ("NOTEOF", Unknown, None),
    ("eof", Unknown, None),
    ("outbroken pipe", Unknown, None),
    ("connection reset by peer.", Unknown, None),
    ("Connection reset by peer", Unknown, None),
    ("abnormal exit", Unknown, None),
    ("normal close.", Unknown, None),
    ("server shut down soon", Unknown, None),
    ("the process exited with error status: 1", Unknown, None),
    ("a file transfer blocked", Unknown, None),
    ("getting user: unknown userid 1000", Unknown, None),
    ("start command: fork/exec /bin/zsh: no such file or directory", Unknown, None),
];

#[test]
fn a_text_in_place_of_a_reason_reads_as_what_it_means_and_is_kept() {
    for (text, reason, trigger) in TEXTS {
        let line = |more: &str| {
            let text = json!(text);
            format!(
                r#"{{"connect_type":"agent_to_client","disconnect_reason":{text},"disconnect_expected":false{more}}}"#
            )
        };
        let meant = |detail: &'static str| {
            let end = end(reason).with_detail(detail);
            trigger.map_or(end.clone(), |trigger| end.with_trigger(trigger))
        };
        assert_eq!(read(&line("")), meant(text));
        assert_eq!(read(&line(r#","disconnect_detail":"kept""#)), meant("kept"), "{text}");
        // Only what is written is read: no initiator, and an exit code that is none beside an error.
        assert_eq!(read(&line(r#","exit_code":229"#)), meant(text).with_exit_code(229));

        let alone: DisconnectReason = serde_json::from_value(json!(text)).expect("lenient");
        assert_eq!(alone, reason, "{text}");
        assert!(text.parse::<DisconnectReason>().is_err(), "{text}: parsing is strict");
    }
}

#[test]
fn a_trigger_that_is_written_wins_over_one_that_the_text_means() {
    let line = |trigger: &str| {
        let line = json!({"connect_type": "agent_to_client", "disconnect_reason": "read: broken pipe",
            "disconnect_trigger": trigger, "disconnect_initiator": "network"});
        read(&line.to_string())
    };
    let expected = network_error().with_detail("read: broken pipe");
    assert_eq!(line("max_age"), expected.clone().with_trigger(Trigger::MaxAge));
    for none in ["", "solar_flare"] {
        assert_eq!(line(none), expected.clone().with_trigger(Trigger::BrokenPipe));
    }
}
