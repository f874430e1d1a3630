//! What an error that is given to a guard adds to what is known.

use std::io::{self, ErrorKind, Read};

use disconnect_attribution::{Cause, DisconnectGuard, DisconnectReason, Evidence};

use super::line;
use crate::support::{Lines, SHUTDOWN, client_closed, end, shutdown, track, words};

#[test]
fn an_error_counts_as_what_it_explains() {
    type MakeError = fn() -> io::Error;
    let rows: [(MakeError, &str); 5] = [
        (
            || ErrorKind::ConnectionReset.into(),
            "agent_to_client ended by network: network_error (reset): connection reset",
        ),
        (
            || io::Error::new(ErrorKind::InvalidData, "bad frame"),
            "agent_to_client ended: protocol_error: bad frame",
        ),
        (
            || io::Error::new(ErrorKind::TimedOut, "deadline has elapsed"),
            "agent_to_client ended by network: network_error (deadline): deadline has elapsed",
        ),
        (|| ErrorKind::NotConnected.into(), SHUTDOWN),
        (|| io::Error::other("device gone"), SHUTDOWN),
    ];
    for (error, expected) in rows {
        let (lines, agent) = (Lines::default(), Cause::default());
        let guard = lines.guard().with_cause(agent.child());
        guard.record_error(&error());
        agent.record(Evidence::Local, shutdown());
        drop(guard);
        let line = words(&lines.one()).replace(" (from agent_to_client)", "");
        assert_eq!(line, expected, "{:?}", error());
    }
}

#[test]
fn a_goodbye_refines_an_error_of_the_transport_and_none_of_the_protocol() {
    for (kind, is_refined) in
        [(ErrorKind::ConnectionReset, true), (ErrorKind::NotConnected, true), (ErrorKind::InvalidData, false)]
    {
        let guard = Lines::default().guard();
        guard.record_error(&io::Error::from(kind));
        let is_kept = guard.cause().record(Evidence::Peer, client_closed());
        assert_eq!(is_kept, is_refined, "{kind:?}");
    }
}

#[test]
fn a_tracked_stream_sees_a_transport_error_itself_but_no_truncation_and_no_deadline() {
    let rows: [(ErrorKind, &str); 3] = [
        (ErrorKind::ConnectionReset, "by client: client_closed (end_of_file, peer client)"),
        (ErrorKind::UnexpectedEof, "by network: network_error (end_of_file): unexpected end of file"),
        (ErrorKind::TimedOut, "by network: network_error (deadline): timed out"),
    ];
    for (kind, expected) in rows {
        let line = line(|guard| {
            let mut stream = track(guard, io::empty()).with_half_close();
            assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
            guard.record_error(&io::Error::from(kind));
        });
        assert_eq!(line, format!("agent_to_client ended {expected}"));
    }
}

#[test]
fn question_mark_loses_no_error() {
    fn session(guard: DisconnectGuard) -> io::Result<()> {
        let refused = || Err::<(), _>(io::Error::from(ErrorKind::PermissionDenied));
        refused().inspect_err(|error| guard.record_error(error))?;
        guard.close(end(DisconnectReason::Graceful));
        Ok(())
    }
    let lines = Lines::default();
    session(lines.guard()).expect_err("fails");
    assert_eq!(words(&lines.one()), "agent_to_client ended: unknown: permission denied");
}
