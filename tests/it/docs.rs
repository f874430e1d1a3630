//! The pages show the words as they are: the README, the operations page, and the docs of the reasons.

use std::collections::BTreeSet;

use disconnect_attribution::{ConnectType, ConnectionMethod, DisconnectReason, Initiator, Trigger};

/// The doc lines before each variant of the enum, under the variant's word.
fn documented_variants() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../../src/vocabulary/disconnect_reason.rs");
    let (_, body) =
        source.split_once("pub enum DisconnectReason under DISCONNECT_REASON {").expect("the enum");
    let mut variants = Vec::new();
    let mut docs: Vec<String> = Vec::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim().to_owned());
        } else if line.ends_with(',') {
            let word = docs[0].split('`').nth(1).expect("the word first").to_owned();
            variants.push((word, std::mem::take(&mut docs)));
        }
    }
    variants
}

#[test]
fn every_reason_documents_what_was_observed_its_causes_and_what_to_check() {
    let documented = documented_variants();
    let words = documented.iter().map(|(word, _)| word);
    assert!(words.eq(DisconnectReason::VARIANTS.iter().map(|reason| reason.as_str())));
    for (word, docs) in documented {
        let text = docs.join(" ");
        for part in ["**Observed:**", "For example,", "**Usual causes:**", "**Check:**"] {
            assert!(text.contains(part), "{word} has no {part}");
        }
        let expected = word.parse::<DisconnectReason>().expect("a word").expected();
        assert_eq!(text.contains("Expected."), expected, "{word}");
        assert_eq!(text.contains("Unexpected"), !expected, "{word}");
    }
}

#[test]
fn the_alert_table_links_every_reason_to_its_variant() {
    let page = include_str!("../../src/pages/operations.md");
    let links: Vec<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split_once(')'))
        .map(|(link, _)| link)
        .collect();
    let variants: Vec<_> = DisconnectReason::VARIANTS
        .iter()
        .map(|reason| format!("`{reason}`](crate::DisconnectReason::{reason:?}"))
        .collect();
    assert_eq!(links, variants);
}

/// What a text shows as code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_table_of_jumps_has_every_trigger() {
    let page = include_str!("../../src/pages/operations.md");
    let (alerts, _) = page.split_once("## Prometheus").expect("the tables before it");
    let rows = alerts.lines().filter(|line| line.starts_with("| `"));
    let words: BTreeSet<_> = rows.flat_map(|row| code(row.split(" | ").next().expect("a cell"))).collect();
    assert_eq!(words, Trigger::VARIANTS.iter().map(|trigger| trigger.as_str()).collect());
}

/// All of an enum as code.
fn words<T: std::fmt::Display>(variants: &[T]) -> String {
    let words: Vec<_> = variants.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}

#[test]
fn the_readmes_rows_of_keys_have_the_words_of_the_enums() {
    let row = |key: &str| {
        let readme = include_str!("../../README.md");
        readme.lines().find_map(|line| line.strip_prefix(&format!("| `{key}` | "))).expect("a row")
    };
    let (expected, others) = row(DisconnectReason::KEY).split_once("to look at: ").expect("two lists");
    for (list, is_expected) in [(expected, true), (others, false)] {
        let reasons = DisconnectReason::VARIANTS.iter().filter(|reason| reason.expected() == is_expected);
        assert!(code(list).eq(reasons.map(|reason| reason.as_str())), "{list}");
    }
    for (key, words) in [
        (ConnectType::KEY, words(ConnectType::VARIANTS)),
        (Initiator::KEY, words(Initiator::VARIANTS)),
        (Trigger::KEY, words(Trigger::VARIANTS)),
        (ConnectionMethod::KEY, words(ConnectionMethod::VARIANTS)),
    ] {
        assert!(row(key).contains(&words), "{words} is not in {}", row(key));
    }
}
