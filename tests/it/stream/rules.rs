//! What a line reads after each thing that can happen to a stream, by what was set before: a table written by hand.
//!
//! The stream is a client's, and this side an agent. A cell is the reason, `!` if the client is not its initiator, and
//! the trigger.

use std::io::{self, ErrorKind};

use disconnect_attribution::ConnectType::AgentToClient;
use disconnect_attribution::{Disconnect, DisconnectGuard, DisconnectReason, Evidence, Initiator, Trigger};
use tokio::io::AsyncWriteExt;

use crate::support::{client_closed, end, ended, in_tokio, reset, shutdown, tokio_connection, track};

const TABLE: &str = "
goodbye  presumed  | fin              | reset             | shutdown  | drop      | wrong bytes          | cut bytes      | a text         | a timer
-------------------+------------------+-------------------+-----------+-----------+----------------------+----------------+----------------+------------
none     -         | network eof      | network reset     | graceful  | dropped   | network eof          | network eof    | network eof    | network eof
none     client    | client eof       | client reset      | graceful  | dropped   | protocol eof         | network eof    | client eof     | client eof
none     agent     | network eof      | network reset     | shutdown  | shutdown  | network eof          | network eof    | network eof    | network eof
none     nobody    | nobody eof       | nobody reset      | nobody    | nobody    | protocol eof         | network eof    | nobody eof     | nobody eof
none     rejected  | rejected eof     | rejected reset    | rejected  | rejected  | rejected eof         | rejected eof   | rejected eof   | rejected eof
goodbye  -         | client eof       | network reset     | graceful  | dropped   | protocol eof         | network eof    | unknown eof    | client eof
goodbye  client    | client eof       | client reset      | graceful  | dropped   | protocol eof         | network eof    | client eof     | client eof
goodbye  agent     | client eof       | network reset     | shutdown  | shutdown  | protocol eof         | network eof    | unknown eof    | client eof
goodbye  nobody    | nobody eof       | nobody reset      | nobody    | nobody    | protocol eof         | network eof    | nobody eof     | nobody eof
goodbye  rejected  | rejected eof     | rejected reset    | rejected  | rejected  | rejected eof         | rejected eof   | rejected eof   | rejected eof
half     -         | client eof       | network reset     | graceful  | dropped   | protocol             | network eof    | unknown        | network deadline
half     client    | client eof       | client reset      | graceful  | dropped   | protocol             | network eof    | unknown        | network deadline
half     agent     | shutdown         | network reset     | shutdown  | shutdown  | protocol             | network eof    | unknown        | network deadline
half     nobody    | nobody           | nobody reset      | nobody    | nobody    | protocol             | network eof    | unknown        | network deadline
half     rejected  | rejected         | rejected reset    | rejected  | rejected  | protocol             | network eof    | unknown        | network deadline
";

/// An end in the words of the table.
fn cell(end: &Disconnect) -> String {
    let word = match (end.reason(), end.initiator(), end.trigger()) {
        (DisconnectReason::Unknown, None, Some(Trigger::Dropped)) => return "dropped".to_owned(),
        (DisconnectReason::NetworkError, Some(Initiator::Network), _) => "network",
        (DisconnectReason::ClientClosed, Some(Initiator::Client), _) => "client",
        (DisconnectReason::ServerShutdown, Some(Initiator::Agent), _) => "shutdown",
        (DisconnectReason::Graceful, Some(Initiator::Agent), _) => "graceful",
        (DisconnectReason::Graceful, None, _) => "nobody",
        (DisconnectReason::Rejected, Some(Initiator::Agent), _) => "rejected",
        (DisconnectReason::ProtocolError, Some(Initiator::Client), _) => "protocol",
        (DisconnectReason::Unknown, None, _) => "unknown",
        _ => "?",
    };
    match end.trigger() {
        Some(Trigger::EndOfFile) => format!("{word} eof"),
        Some(trigger) => format!("{word} {trigger}"),
        None => word.to_owned(),
    }
}

/// What a client does, and then this side.
async fn happens(guard: DisconnectGuard, goodbye: &str, presumed: &str, what: &str) {
    use tokio::io::AsyncReadExt;

    guard.cause().presume(match presumed {
        "-" => None,
        "client" => Some(client_closed()),
        "agent" => Some(shutdown()),
        "nobody" => Some(end(DisconnectReason::Graceful)),
        _ => Some(end(DisconnectReason::Rejected).with_initiator(Initiator::Agent)),
    });
    let (client, socket) = tokio_connection();
    let stream = track(&guard, socket);
    let mut stream = match goodbye {
        "none" => stream,
        "goodbye" => stream.with_goodbye(),
        _ => stream.with_half_close(),
    };
    match what {
        "drop" => return,
        "shutdown" => {
            stream.shutdown().await.expect("shut down");
            drop(client);
        }
        "reset" => reset(client),
        _ => drop(client),
    }
    let read = stream.read(&mut [0]).await;
    assert_eq!(read.is_err(), what == "reset");
    match what {
        "wrong bytes" => {
            let wrong = Disconnect::protocol_error(AgentToClient, Initiator::Client);
            let is_kept = guard.cause().record(Evidence::Local, wrong.clone());
            assert_eq!(is_kept, guard.cause().get().is_some_and(|end| end.reason() == wrong.reason()));
        }
        "cut bytes" => guard.record_error(&io::Error::from(ErrorKind::UnexpectedEof)),
        "a text" => guard.record_error(&io::Error::other("bytes remaining on stream")),
        "a timer" => guard.record_error(&io::Error::from(ErrorKind::TimedOut)),
        _ => {}
    }
}

#[test]
fn each_line_is_the_one_in_the_table() {
    let mut rows = TABLE.trim().lines();
    let acts: Vec<_> = rows.next().expect("a head").split('|').skip(1).map(str::trim).collect();
    let mut count = 0;
    for row in rows.skip(1) {
        let (set, cells) = row.split_once('|').expect("cells");
        let [goodbye, presumed] = set.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        for (act, expected) in acts.iter().zip(cells.split('|').map(str::trim)) {
            let end = ended(in_tokio(async |guard| happens(guard, goodbye, presumed, act).await));
            assert_eq!(cell(&end), expected, "{goodbye}, presumed {presumed}, {act}: {end}");
            count += 1;
        }
    }
    assert_eq!(count, 120);
}
