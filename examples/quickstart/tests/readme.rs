//! The README shows this program, and what it really prints.
#![cfg(unix)]

use std::process::Command;

const README: &str = include_str!("../../../README.md");
const FRONT_PAGE: &str = include_str!("../../../src/lib.rs");

#[test]
fn the_one_minute_example_is_the_real_one_with_its_real_output() {
    let source = include_str!("../src/main.rs");
    let (_, code) = source.split_once("\n\n").expect("a header");
    assert!(README.contains(code), "the README shows another program");

    let quickstart = Command::new(env!("CARGO_BIN_EXE_quickstart")).output();
    let output = String::from_utf8(quickstart.expect("runs").stdout).expect("UTF-8");
    let (start, rest) = output.split_once("\"ts\":\"").expect("a time");
    let (_, end) = rest.split_once("\",").expect("an end");
    let line = end.lines().next().expect("a line");
    assert!(FRONT_PAGE.contains(line), "real output:\n{line}");
    assert!(
        README.contains(start) && README.contains(end),
        "real output:\n{output}"
    );
}
