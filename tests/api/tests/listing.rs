//! The public API is the one that was reviewed.
// Elsewhere the handles of a stream are others.
#![cfg(target_os = "linux")]

use std::path::Path;

use api_listing::Error;

/// `UPDATE_GOLDEN=1` writes the listing again; its difference belongs into the review.
#[test]
fn the_public_api_is_as_listed() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("public-api.txt");
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nightly");
    let listing = match api_listing::listing(&target) {
        Ok(listing) => listing,
        // A newer compiler is no fault of the library; the gate has the one that fits.
        Err(Error::Unreadable(why)) if std::env::var_os("ALL_PEERS").is_none() => {
            return eprintln!("skipped: {why}");
        }
        Err(error) => panic!("{error}"),
    };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &listing).expect("written");
    }
    let reviewed = std::fs::read_to_string(&golden).expect("read");
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
