//! Lists the public API of `disconnect-attribution`, with every feature, as a text to review.

use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use public_api::Builder;

const CRATE: &str = "disconnect_attribution";

/// Why there is no listing.
#[derive(Debug)]
pub enum Error {
    /// The docs don't build.
    Docs(String),
    /// The compiler writes them in a format that `public-api` can't read.
    Unreadable(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Docs(why) | Self::Unreadable(why) => f.write_str(why),
        }
    }
}

/// Lists the public API, a line for each item. What `cargo` needs on the way goes to `target`.
///
/// Left out: what is hidden from the docs, implementations that follow from others (auto traits, blanket ones), and the
/// methods of traits, whose signatures are the trait's.
///
/// # Errors
///
/// Where the docs don't build, or the compiler writes them in a format that `public-api` can't read.
pub fn listing(target: &Path) -> Result<String, Error> {
    let json = rustdoc_json(target)?;
    let api = Builder::from_rustdoc_json(&json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .include_function_parameter_names(true)
        .build()
        .map_err(|error| unreadable(&json, &error))?;
    let items: Vec<String> = api.items().map(|item| without_paths(&item.to_string())).collect();
    Ok(review(&items))
}

/// Builds the docs as JSON, an unstable output that the stable compiler writes too where it is told so.
fn rustdoc_json(target: &Path) -> Result<PathBuf, Error> {
    let output = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .env("RUSTC_BOOTSTRAP", "1")
        .args(["rustdoc", "--quiet", "--locked", "--lib", "--all-features"])
        .args(["--package", "disconnect-attribution", "--target-dir"])
        .arg(target)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .output()
        .map_err(|error| Error::Docs(format!("cargo does not run: {error}")))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Docs(format!("the docs don't build as JSON:\n{errors}")));
    }
    Ok(target.join("doc").join(format!("{CRATE}.json")))
}

fn unreadable(json: &Path, error: &public_api::Error) -> Error {
    let json = std::fs::read_to_string(json).unwrap_or_default();
    let (_, version) = json.rsplit_once("\"format_version\":").unwrap_or_default();
    let version: String = version.chars().take_while(char::is_ascii_digit).collect();
    Error::Unreadable(format!(
        "this compiler's rustdoc writes JSON in format {version}, which this version of public-api can't read: set a \
         version that can in tests/api/Cargo.toml ({error})"
    ))
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

fn review(items: &[String]) -> String {
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
