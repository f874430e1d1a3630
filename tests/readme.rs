//! The README shows the words as they are.

use disconnect_attribution::{ConnectType, ConnectionMethod, DisconnectReason, Initiator, Trigger};

const README: &str = include_str!("../README.md");

/// The cells of each table row of the README that starts with a word.
fn rows() -> impl Iterator<Item = Vec<&'static str>> {
    README
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
        .map(|row| {
            row.split('|')
                .map(|cell| cell.trim().trim_matches('`'))
                .collect()
        })
}

#[test]
fn the_table_of_reasons_is_the_enum() {
    let documented: Vec<_> = rows()
        .filter(|row| matches!(row[1], "true" | "false"))
        .map(|row| (row[0], row[1] == "true"))
        .collect();
    let actual: Vec<_> = DisconnectReason::VARIANTS
        .iter()
        .map(|reason| (reason.as_str(), reason.expected()))
        .collect();
    assert_eq!(documented, actual);
}

#[test]
fn the_other_words_are_the_enums() {
    fn words<T: std::fmt::Display>(variants: &[T]) -> String {
        let words: Vec<_> = variants.iter().map(|word| format!("`{word}`")).collect();
        words.join(", ")
    }
    for (key, words) in [
        (ConnectType::KEY, words(ConnectType::VARIANTS)),
        (Initiator::KEY, words(Initiator::VARIANTS)),
        (Trigger::KEY, words(Trigger::VARIANTS)),
        (ConnectionMethod::KEY, words(ConnectionMethod::VARIANTS)),
    ] {
        let row = README
            .lines()
            .find(|line| line.starts_with(&format!("| `{key}` | ")));
        let row = row.unwrap_or_else(|| panic!("no row for {key}"));
        assert!(row.contains(&words), "{words} is not in {row}");
    }
}
