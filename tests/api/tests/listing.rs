//! The public API is the one that was reviewed, with every feature.
//!
//! Left out: what is hidden from the docs, implementations that follow from others (auto traits, blanket ones), and the
//! methods of traits, whose signatures are the trait's.
// Elsewhere the handles of a stream are others.
#![cfg(target_os = "linux")]

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use public_api::Builder;

const CRATE: &str = "disconnect_attribution";

/// Builds the docs as JSON, an unstable output that the stable compiler writes too if it is told so.
fn rustdoc_json() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let output = Command::new(env!("CARGO"))
        .current_dir(package.join("../.."))
        .env("RUSTDOC", package.join("rustdoc"))
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features"])
        .args(["--package", "disconnect-attribution", "--target-dir"])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .output()
        .expect("cargo runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the docs don't build as JSON:\n{errors}");
    target.join("doc").join(format!("{CRATE}.json"))
}

/// The version of the format, if it is one that can't be read.
fn format_version(json: &Path) -> String {
    let json = fs::read_to_string(json).unwrap_or_default();
    let (_, version) = json.rsplit_once("\"format_version\":").unwrap_or_default();
    version.chars().take_while(char::is_ascii_digit).collect()
}

/// Without this crate's name, and without the standard library's modules: what they hold moves between its crates.
fn without_paths(item: &str) -> String {
    let is_in_path = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
    item.split_inclusive(|c| !is_in_path(c))
        .map(|word| {
            let path = word.trim_end_matches(|c| !is_in_path(c));
            let after = &word[path.len()..];
            let path = path.strip_prefix(CRATE).map_or(path, |path| path.trim_start_matches("::"));
            let is_known = ["alloc::", "core::", "std::"].iter().any(|root| path.starts_with(root));
            let name = if is_known { path.rsplit("::").next() } else { None };
            name.unwrap_or(path).to_owned() + after
        })
        .collect()
}

/// A line for each item.
fn listing(items: &[String]) -> String {
    let mut seen = HashSet::new();
    let mut of_trait = None;
    let mut text = String::new();
    for item in items {
        if item.starts_with("impl") {
            let implementation = item.split(" where ").next().unwrap_or(item);
            of_trait = implementation.rsplit_once(" for ").map(|(_, kind)| format!("fn {kind}::"));
        }
        let is_of_trait = of_trait.as_ref().is_some_and(|kind| item.contains(kind));
        // What follows from `PartialEq`, and the root.
        let is_noise = item.contains("StructuralPartialEq") || item == "pub mod ";
        // A type that is exported twice has its members once.
        if is_of_trait || is_noise || !seen.insert(item) {
            continue;
        }
        if item.contains("pub enum ") || item.contains("pub struct ") {
            text.push('\n');
        }
        text.push_str(item);
        text.push('\n');
    }
    text
}

/// `UPDATE_GOLDEN=1` writes the listing again; its difference belongs into the review.
#[test]
fn the_public_api_is_as_listed() {
    let json = rustdoc_json();
    let builder = Builder::from_rustdoc_json(&json).omit_blanket_impls(true).omit_auto_trait_impls(true);
    let api = match builder.include_function_parameter_names(true).build() {
        Ok(api) => api,
        Err(error) => {
            let version = format_version(&json);
            let why = format!(
                "this compiler's rustdoc writes JSON in format {version}, which this version of public-api can't read: \
                 set a version that can in tests/api/Cargo.toml ({error})"
            );
            // A newer compiler is no fault of the library; the gate has the one that fits.
            assert!(env::var_os("ALL_PEERS").is_none(), "{why}");
            return eprintln!("skipped: {why}");
        }
    };
    let items: Vec<String> = api.items().map(|item| without_paths(&item.to_string())).collect();
    let listing = listing(&items);
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("public-api.txt");
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&golden, &listing).expect("written");
    }
    let reviewed = fs::read_to_string(&golden).expect("read");
    let only_in = |lines: &str, others: &str, sign: char| {
        let others: Vec<_> = others.lines().collect();
        let only = lines.lines().filter(|line| !others.contains(line));
        let signed: Vec<_> = only.map(|line| format!("{sign} {line}")).collect();
        signed.join("\n")
    };
    assert!(
        listing == reviewed,
        "the public API is not as tests/api/public-api.txt lists it; if that is meant, UPDATE_GOLDEN=1 writes it again:\n{}\n{}",
        only_in(&reviewed, &listing, '-'),
        only_in(&listing, &reviewed, '+')
    );
}
