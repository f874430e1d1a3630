//! The operations page, and the docs of the reasons that it links to.

use disconnect_attribution::DisconnectReason;

/// The doc lines before each variant of the enum, under the variant's word.
fn documented_variants() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../src/vocabulary/disconnect_reason.rs");
    let (_, body) = source
        .split_once("pub enum DisconnectReason under DISCONNECT_REASON {")
        .expect("the enum");
    let mut variants = Vec::new();
    let mut docs: Vec<String> = Vec::new();
    for line in body.lines().map(str::trim).take_while(|line| *line != "}") {
        if let Some(doc) = line.strip_prefix("///") {
            docs.push(doc.trim().to_owned());
        } else if line.ends_with(',') {
            let word = docs[0]
                .split('`')
                .nth(1)
                .expect("the word first")
                .to_owned();
            variants.push((word, std::mem::take(&mut docs)));
        }
    }
    variants
}

#[test]
fn the_documented_words_are_the_enum() {
    let words: Vec<_> = documented_variants()
        .into_iter()
        .map(|(word, _)| word)
        .collect();
    let actual: Vec<_> = DisconnectReason::VARIANTS
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    assert_eq!(words, actual);
}

#[test]
fn the_alert_table_links_every_reason_to_its_variant() {
    let page = include_str!("../src/pages/operations.md");
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

#[test]
fn every_reason_documents_what_was_observed_its_causes_and_what_to_check() {
    for (word, docs) in documented_variants() {
        let text = docs.join(" ");
        for part in [
            "**Observed:**",
            "For example,",
            "**Usual causes:**",
            "**Check:**",
        ] {
            assert!(text.contains(part), "{word} has no {part}");
        }
        let expected = word.parse::<DisconnectReason>().expect("a word").expected();
        assert_eq!(text.contains("Expected."), expected, "{word}");
        assert_eq!(text.contains("Unexpected"), !expected, "{word}");
    }
}
