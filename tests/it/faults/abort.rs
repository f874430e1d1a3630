//! `panic = "abort"`: a program that is built so, and which of its lines come out.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Builds the program, without a network: its dependencies are those of this crate, at the same versions.
fn build() -> PathBuf {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("abort");
    std::fs::create_dir_all(&folder).expect("created");
    let manifest = format!(
        r#"[workspace]

[package]
name = "abort"
version = "0.0.0"
edition = "2024"

[[bin]]
name = "abort"
path = "{root}/tests/it/faults/programs/abort.rs"

[dependencies]
disconnect-attribution = {{ path = "{root}", default-features = false, features = ["slog"] }}
slog = "2.5.2"

[profile.dev]
panic = "abort"
debug = false
"#
    );
    std::fs::write(folder.join("Cargo.toml"), manifest).expect("written");
    std::fs::copy(format!("{root}/Cargo.lock"), folder.join("Cargo.lock")).expect("copied");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--offline", "--target-dir", "target"])
        .current_dir(&folder)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_BUILD_TARGET")
        .output()
        .expect("cargo");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    folder.join("target/debug/abort")
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    // Without the numbers.
    let words = |line: &str| line.split(", open").next().unwrap_or(line).to_owned();
    text.lines().map(words).collect()
}

#[test]
fn a_program_that_aborts_logs_until_it_panics_and_its_hook_is_the_last_to_log() {
    let program = build();
    let run = |mode: &str| {
        let output = Command::new(&program).arg(mode).output().expect("started");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), lines(&output), error)
    };
    let ended = "agent_to_client ended by network: network_error (end_of_file, peer client";

    let (code, lines, error) = run("return");
    assert_eq!((code, &lines[..]), (Some(0), &[ended, ended].map(String::from)[..]), "{error}");

    // No destructor runs: not of the session that panics, and of no other.
    let (code, lines, error) = run("panic");
    assert_eq!((code, &lines[..]), (None, &[ended.to_owned()][..]), "{error}");
    assert!(error.contains("a bug of the session"), "{error}");

    let (code, lines, error) = run("hook");
    assert_eq!((code, lines.len()), (None, 2), "{error}");
    assert!(lines[1].starts_with("the process aborts: agent_to_client ended: unknown (panic): "));
    assert!(lines[1].ends_with("a bug of the session"), "{lines:?}");

    // slog's `Fuse` turns a failed write into a panic, which nothing can contain here.
    let (code, _, error) = run("fuse");
    assert_eq!(code, None, "{error}");
    let (code, _, error) = run("ignore");
    assert_eq!(code, Some(0), "{error}");
}
