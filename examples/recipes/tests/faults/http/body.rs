//! Bodies that are streamed.

use std::net::Shutdown;

use bytes::Bytes;
use disconnect_attribution::Cause;
use http_body_util::{BodyExt, Full};
use recipes::http_body::attributed;

use super::{ask, client_of, curl, serve};
use crate::lines::Lines;
use crate::matrix::Row;
use crate::site::{LONG, common_faults};
use crate::words::words;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_ends_as_its_row_records() {
    let mut row = Row::of("HTTP body");
    common_faults(&mut row, |longest| serve(LONG, longest).with(|site| client_of(site, "/chunks")));
    let site = serve(LONG, LONG);
    if row.has_program("curl", &["clean close", "killed"]) {
        let mut client = curl(&site, &[], "/complete");
        assert_eq!(client.line(), "chunk");
        row.check("clean close", &site.wait());

        let mut client = curl(&site, &[], "/chunks");
        client.line();
        client.kill();
        row.check("killed", &site.wait());
    }

    let client = client_of(&site, "/chunks");
    client.shutdown(Shutdown::Both).expect("closed");
    row.check("the client closes in the middle", &site.wait());

    let _client = client_of(&site, "/panic");
    row.check("panic", &site.wait());
    let _client = ask(&site, "/failed");
    row.check("its source fails", &site.wait());
    row.complete();
}

/// Who reads a body of a known length never asks for what follows it.
#[tokio::test]
async fn a_body_of_a_known_length_is_complete() {
    for text in ["", "hello"] {
        let lines = Lines::default();
        let mut body = attributed(Full::<Bytes>::from(text), &Cause::default(), LONG, lines.emit());
        let frame = body.frame().await.transpose().expect("no error");
        let chunk = frame.map(|frame| frame.into_data().expect("a chunk"));
        assert_eq!(chunk.unwrap_or_default(), text);
        assert_eq!(words(&lines.one()), "client_to_server ended by server: graceful");
    }
}

/// Such as that of the answer to a HEAD.
#[tokio::test]
async fn a_body_that_is_not_asked_for_has_no_line() {
    let lines = Lines::default();
    drop(attributed(Full::<Bytes>::from("hello"), &Cause::default(), LONG, lines.emit()));
    assert!(lines.take().is_empty());
}
