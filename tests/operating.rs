//! The page "Operating it" and the docs of the enum are one text.

use disconnect_attribution::DisconnectReason;

/// The doc lines before each variant of the enum, under the variant's word.
fn documented_variants() -> Vec<(String, Vec<String>)> {
    let source = include_str!("../src/vocabulary/disconnect_reason.rs");
    let (_, body) = source
        .split_once("pub enum DisconnectReason {")
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
fn the_page_says_what_the_enum_says() {
    let page = include_str!("../src/operating.rs");
    let variants = documented_variants();
    let words: Vec<_> = variants.iter().map(|(word, _)| word.as_str()).collect();
    let actual: Vec<_> = DisconnectReason::VARIANTS
        .iter()
        .map(|reason| reason.as_str())
        .collect();
    assert_eq!(words, actual);

    for (word, docs) in variants {
        let section: Vec<_> = page
            .lines()
            .skip_while(|line| *line != format!("//! ## `{word}`"))
            .skip(2)
            .map(|line| line.trim_start_matches("//!").trim().to_owned())
            .take(docs.len())
            .collect();
        assert_eq!(section, docs, "the section {word} of src/operating.rs");
    }
}

#[test]
fn every_reason_says_what_was_observed_its_causes_and_what_to_check() {
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
        assert_eq!(text.contains("Look"), !expected, "{word}");
    }
}
