//! The README and the front page show this program, and what it really prints.
#![cfg(unix)]

use std::process::Command;

const README: &str = include_str!("../../../README.md");
const FRONT_PAGE: &str = include_str!("../../../src/lib.rs");

#[test]
fn the_readme_shows_this_program() {
    let source = include_str!("../src/main.rs");
    let (_, code) = source.split_once("\n\n").expect("a header");
    assert!(README.contains(code), "the README shows another program");
}

#[test]
fn both_pages_show_its_real_output() {
    let quickstart = Command::new(env!("CARGO_BIN_EXE_quickstart")).output();
    let output = String::from_utf8(quickstart.expect("runs").stdout).expect("UTF-8");
    let (_, fields) = output.trim_end().split_once("Z\",").expect("a time");
    // Milliseconds vary, and the pages wrap the line.
    let fields = without_digits(fields);
    let front_page = FRONT_PAGE.replace("//! ", "");
    for page in [README, &front_page] {
        let page = without_digits(&page.replace("\n ", ""));
        assert!(page.contains(&fields), "real output:\n{output}");
    }
}

fn without_digits(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_digit(), "")
}
