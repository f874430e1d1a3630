//! Handles of one socket, one after the other and at the same time.

use std::io::{self, ErrorKind, Read, Write};

use disconnect_attribution::{Initiator, TrackedStream};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::support::{
    END_OF_FILE, client_closed, connection, ended, in_tokio, line, reset, tokio_connection, track, words,
};

#[test]
fn a_peer_that_spoke_has_spoken_to_a_socket_that_is_tracked_again() {
    let line = line(|guard| {
        guard.cause().presume(client_closed());
        let (mut client, socket) = connection();
        let mut stream = track(&guard, socket);
        client.write_all(b"upgrade").expect("sent");
        stream.read_exact(&mut [0; 7]).expect("read");
        let mut stream = track(&guard, stream.into_inner());
        drop(client);
        assert_eq!(stream.read(&mut [0]).expect("the end"), 0);
    });
    assert_eq!(line, END_OF_FILE);
}

/// What is tracked again is the socket, or its other half: after the first, or beside it.
#[test]
fn a_socket_that_was_shut_down_and_tracked_again_reads_an_answer() {
    for way in ["the socket", "the other half", "beside"] {
        let end = ended(in_tokio(async |guard| {
            let (mut client, socket) = tokio_connection();
            let (read, write) = socket.into_split();
            let mut write = track(&guard, write);
            client.write_all(b"hi").expect("sent");
            write.write_all(b"bye").await.expect("written");
            write.shutdown().await.expect("shut down");
            let (mut read, _write): (TrackedStream<Box<dyn AsyncRead + Unpin>>, _) = match way {
                "the socket" => {
                    (track(&guard, Box::new(read.reunite(write.into_inner()).expect("one"))), None)
                }
                "the other half" => {
                    drop(write);
                    (track(&guard, Box::new(read)), None)
                }
                _ => (track(&guard, Box::new(read)), Some(write)),
            };
            client.read_to_end(&mut Vec::new()).expect("read");
            drop(client);
            let mut answer = Vec::new();
            assert_eq!(read.read_to_end(&mut answer).await.expect("the end"), 2);
        }));
        assert_eq!(words(&end), "agent_to_client ended by agent: graceful", "{way}");
        assert_eq!((end.bytes_received(), end.bytes_sent()), (Some(2), Some(3)), "{way}");
    }
}

/// What was known of the first one says nothing of the next, once that is read.
#[test]
fn a_second_socket_of_the_same_peer_stands_for_itself() {
    let line = line(|guard| {
        for (end, is_reset) in [(drop as fn(_), false), (reset, true)] {
            let (client, socket) = connection();
            let mut stream = track(&guard, socket).with_half_close();
            end(client);
            assert_eq!(Read::read(&mut stream, &mut [0]).is_err(), is_reset);
        }
    });
    assert!(line.starts_with("agent_to_client ended by network: network_error (reset"), "{line}");
}

/// A stream over another one that is told of the end by a word of the protocol, as TLS is.
struct WithNotify<S>(S);

impl<S: Read> Read for WithNotify<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            count => Ok(count),
        }
    }
}

#[test]
fn a_layer_over_a_tracked_transport_corrects_it_adds_no_bytes_and_corrects_no_other_peers() {
    let end = ended(|guard| {
        let transport = track(&guard, &b"hello"[..]).with_goodbye();
        let mut over = track(&guard, WithNotify(transport));
        over.read_exact(&mut [0; 6]).expect_err("no close_notify");
    });
    assert!(
        words(&end).starts_with("agent_to_client ended by network: network_error (end_of_file, peer client)")
    );
    assert_eq!(end.bytes_received(), Some(5));
    for peer in [Initiator::Server, Initiator::Unknown] {
        let upstreams = line(|guard| {
            let mut stream = track(&guard, io::empty()).with_goodbye();
            assert_eq!(Read::read(&mut stream, &mut [0]).expect("the end"), 0);
            let mut upstream = guard.track(WithNotify(io::empty()), peer);
            upstream.read(&mut [0]).expect_err("cut");
        });
        assert_eq!(upstreams, "agent_to_client ended by client: client_closed (end_of_file, peer client)");
    }
}
