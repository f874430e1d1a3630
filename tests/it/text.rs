//! Free text: what is escaped, what is cut, and what passes as it is.

use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;

use disconnect_attribution::{ConnectType, Disconnect, DisconnectReason, classify_channel_close};

use crate::support::strategies::any_text;
use crate::support::{Layer, end, random};

/// What becomes of a text that a site hands over.
fn handed(text: &str) -> Option<String> {
    let end = end(DisconnectReason::Unknown).with_detail(text.to_owned());
    end.detail().map(str::to_owned)
}

/// What becomes of what a value prints.
fn printed(print: impl Fn(&mut fmt::Formatter<'_>) -> fmt::Result + 'static) -> Option<String> {
    struct Prints<F>(F);

    impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Prints<F> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0(f)
        }
    }

    let end = classify_channel_close::<(), _>(&Err(Prints(print)));
    end.detail().map(str::to_owned)
}

/// The same of a text that is printed one piece at a time.
fn in_pieces(pieces: &[&str]) -> Option<String> {
    let pieces: Vec<String> = pieces.iter().copied().map(str::to_owned).collect();
    printed(move |f| pieces.iter().try_for_each(|piece| f.write_str(piece)))
}

/// Holds what becomes of a text against what is expected, whichever way it comes and again.
#[track_caller]
fn check(text: &str, kept: Option<&str>) {
    let kept = kept.map(str::to_owned);
    assert_eq!(handed(text), kept, "handed over: {text:?}");
    let literal: &'static str = text.to_owned().leak();
    let end = end(DisconnectReason::Unknown).with_detail(literal);
    assert_eq!(end.detail(), kept.as_deref(), "a literal: {text:?}");
    assert_eq!(in_pieces(&[text]), kept, "printed: {text:?}");
    let characters: Vec<_> = text.split_inclusive(|_| true).collect();
    assert_eq!(in_pieces(&characters), kept, "printed bit by bit: {text:?}");
    if let Some(kept) = kept {
        assert!(kept.len() <= 256, "{kept:?}");
        assert_eq!(handed(&kept).as_ref(), Some(&kept), "again: {text:?}");
    }
}

#[test]
fn any_text_is_a_bounded_visible_line_however_it_comes() {
    random::run(1_000, 2, &any_text(), |text| {
        let kept = handed(&text);
        check(&text, kept.as_deref());
        if let Some(kept) = &kept {
            let hidden = |c: char| c.is_control() || "\u{2028}\u{200d}\u{202e}\u{feff}".contains(c);
            assert!((1..=256).contains(&kept.len()) && kept.trim() == kept && !kept.contains(hidden));
        }
        Ok(kept.is_some_and(|kept| kept != text))
    });
}

/// What is escaped of the whole of Unicode 16, in ascending order.
const ESCAPED: &[RangeInclusive<char>] = &[
    '\0'..='\u{1f}',           // control characters of ASCII
    '\u{7f}'..='\u{9f}',       // DEL, and C1
    '\u{ad}'..='\u{ad}',       // soft hyphen
    '\u{34f}'..='\u{34f}',     // combining grapheme joiner
    '\u{61c}'..='\u{61c}',     // Arabic letter mark
    '\u{115f}'..='\u{1160}',   // Hangul fillers
    '\u{17b4}'..='\u{17b5}',   // Khmer inherent vowels
    '\u{180b}'..='\u{180f}',   // Mongolian selectors
    '\u{200b}'..='\u{200f}',   // zero width, and marks of direction
    '\u{2028}'..='\u{202e}',   // line and paragraph separator, embedding and override
    '\u{2060}'..='\u{206f}',   // word joiner, invisible operators, isolates, deprecated format characters
    '\u{2800}'..='\u{2800}',   // blank Braille pattern
    '\u{3164}'..='\u{3164}',   // another Hangul filler
    '\u{fe00}'..='\u{fe0d}',   // variation selectors, but for the two that emoji need
    '\u{feff}'..='\u{feff}',   // byte order mark
    '\u{ffa0}'..='\u{ffa0}',   // halfwidth Hangul filler
    '\u{fff0}'..='\u{fffb}',   // reserved as ignorable, then interlinear annotation
    '\u{13441}'..='\u{13442}', // Egyptian blanks
    '\u{16fe4}'..='\u{16fe4}', // Khitan filler
    '\u{1bca0}'..='\u{1bca3}', // shorthand format
    '\u{1d159}'..='\u{1d159}', // blank note head
    '\u{1d173}'..='\u{1d17a}', // musical format
    '\u{e0000}'..='\u{e0fff}', // tags, more variation selectors, reserved as ignorable
];

/// All of the planes that have characters, and some of the others.
fn characters() -> impl Iterator<Item = char> {
    ('\0'..=char::MAX)
        .filter(|c| matches!(*c as u32, 0..0x2_0000 | 0xe_0000..0xe_2000) || *c as u32 % 101 == 0)
}

#[test]
fn of_all_characters_exactly_those_that_hide_or_break_are_escaped() {
    for c in characters() {
        let is_escaped = ESCAPED.iter().any(|range| range.contains(&c));
        let kept = if is_escaped { c.escape_default().to_string() } else { c.to_string() };
        // Between ASCII, and between what is none.
        for around in ["a", "日"] {
            let expected = Some(format!("{around}{kept}{around}"));
            assert_eq!(handed(&format!("{around}{c}{around}")), expected, "{c:?}");
        }
    }
}

#[test]
fn escapes_are_those_of_rust_and_white_space_around_a_text_is_removed() {
    let spaces = " ".repeat(300);
    let rows = [
        ("\u{1b}[2J two\nlines\r\n", Some(r"\u{1b}[2J two\nlines")),
        // A joined emoji shows its parts.
        ("👩\u{200d}🚀 ❤\u{fe0f}", Some("👩\\u{200d}🚀 ❤\u{fe0f}")),
        (r#"C:\new "quoted" 'text'"#, Some(r#"C:\new "quoted" 'text'"#)),
        ("", None),
        (" ", None),
        ("\t\r\n", None),
        ("  \u{3000}\u{a0}\u{2028}\u{85}", None),
        (" x", Some("x")),
        ("x ", Some("x")),
        ("\n x  y \u{2003}\n", Some("x  y")),
        ("\u{3000}Größe\u{3000}", Some("Größe")),
        (spaces.as_str(), None),
        // It is no white space, though it can't be seen.
        ("\u{200b}", Some(r"\u{200b}")),
        (" \u{feff} ", Some(r"\u{feff}")),
    ];
    for (text, kept) in rows {
        check(text, kept);
    }
    check(&format!("{spaces}x{spaces}"), Some("x"));
    let end = end(DisconnectReason::Unknown).with_detail("first");
    assert_eq!(end.with_detail("\n").detail(), None);
}

#[test]
fn a_run_of_combining_marks_is_cut_after_the_eighth() {
    for mark in [
        '\u{300}', '\u{36f}', '\u{1ab0}', '\u{1aff}', '\u{1dc0}', '\u{1dff}', '\u{20d0}', '\u{20ff}',
        '\u{fe0e}', '\u{fe0f}', '\u{fe20}', '\u{fe2f}',
    ] {
        let marks = |count| mark.to_string().repeat(count);
        for count in 0..=8 {
            let text = format!("e{}", marks(count));
            check(&text, Some(&text));
        }
        check(&format!("e{}", marks(9)), Some(&format!("e{}", marks(8))));
        check(&format!("x{}y{}z", marks(40), marks(40)), Some(&format!("x{0}y{0}z", marks(8))));
        // An escape is text between two runs.
        check(&format!("x{}\n{}z", marks(9), marks(9)), Some(&format!(r"x{0}\n{0}z", marks(8))));
        check(&marks(9), Some(&marks(8)));
        // Each piece that is printed may be plain or not.
        let (run, plain) = (marks(8), "plain text");
        let pieces = [&run, plain, &run, "\n", &run, "é", &run];
        let expected = pieces.concat().replace('\n', "\\n");
        assert_eq!(in_pieces(&pieces), Some(expected));
    }
    // Different ones in a row count together; those of scripts that need more than one are none.
    check(&format!("e{}", "\u{301}\u{20d0}".repeat(5)), Some(&format!("e{}", "\u{301}\u{20d0}".repeat(4))));
    let thai = "ก".to_owned() + &"\u{e49}".repeat(9);
    check(&thai, Some(&thai));
}

#[test]
fn a_text_is_at_most_256_bytes_with_the_mark_of_its_cut() {
    let x = |count| "x".repeat(count);
    let cut = |unit: &str, count| format!("{}…", unit.repeat(count));
    let rows = [
        (x(256), x(256)),
        (x(257), cut("x", 253)),
        ("é".repeat(128), "é".repeat(128)),
        ("é".repeat(129), cut("é", 126)),
        ("日".repeat(86), cut("日", 84)),
        ("🦀".repeat(100_000), cut("🦀", 63)),
        // Two bytes for `\n` just fit, or just do not.
        (x(253) + "\ny", x(253) + "\\ny"),
        (x(254) + "\ny", cut("x", 253)),
        (x(254) + "\0", cut("x", 253)),
        // An escape stays whole: six bytes of the last one would still fit.
        ("\u{1b}".repeat(300), cut(r"\u{1b}", 42)),
        // White space after the last byte that fits is no part of the text.
        (x(256) + "\n \u{3000}", x(256)),
        (x(255) + "  ", x(255)),
        (x(255) + " y", cut("x", 253)),
        // White space that does not fit is not left out before text that would.
        (x(255) + "\ny", cut("x", 253)),
        (x(254) + "\u{3000}y", cut("x", 253)),
        (x(256) + &" ".repeat(1000) + "y", cut("x", 253)),
        (x(252) + " yyyy", x(252) + " …"),
        (" ".repeat(1000) + &x(257), cut("x", 253)),
        (
            "a mark beyond the end ".to_owned() + &"e\u{301}".repeat(200),
            "a mark beyond the end ".to_owned() + &cut("e\u{301}", 77),
        ),
    ];
    for (text, kept) in rows {
        check(&text, Some(&kept));
    }
}

/// Errors from the outside in.
fn chain(texts: &[&'static str]) -> Option<Box<dyn Error + Send + Sync>> {
    let (text, rest) = texts.split_first()?;
    Some(Box::new(Layer(text, chain(rest))))
}

#[test]
fn an_errors_text_is_its_own_and_what_each_source_adds() {
    let long: &str = "x".repeat(300).leak();
    let cut = format!("{}…", "x".repeat(253));
    let rows: [(&[&'static str], Option<&str>); 14] = [
        (&["session failed"], Some("session failed")),
        (&["session failed", "broken pipe"], Some("session failed: broken pipe")),
        (&["a", "b", "c"], Some("a: b: c")),
        (&["read: broken pipe", "broken pipe"], Some("read: broken pipe")),
        (&["broken pipe", "broken pipe", "broken pipe"], Some("broken pipe")),
        (&["x: y", "y", "z"], Some("x: y: z")),
        // Contained by what the chain gave so far, not by one of its texts.
        (&["a", "b", "a: b"], Some("a: b")),
        (&["", "denied"], Some("denied")),
        (&[" \n", "denied", ""], Some("denied")),
        (&["", " "], None),
        (&["denied\n", "two\nlines "], Some(r"denied: two\nlines")),
        (&["two\nlines", "lines"], Some(r"two\nlines")),
        (&[long, "y"], Some(&cut)),
        (&["y", long], Some(&format!("y: {}…", "x".repeat(250)))),
    ];
    for (texts, kept) in rows {
        let error = chain(texts).expect("one at least");
        let end = Disconnect::from_error(ConnectType::AgentToClient, &*error);
        assert_eq!(end.detail(), kept, "{texts:?}");
    }
}

#[test]
fn what_prints_for_ever_goes_on_after_an_error_or_fails_is_cut_there() {
    let flood = |text: &'static str| {
        printed(move |f| {
            loop {
                f.write_str(text)?;
            }
        })
    };
    assert_eq!(flood("flood "), Some(format!("{}f…", "flood ".repeat(42))));
    assert_eq!((flood("    "), flood("\n")), (None, None));
    assert_eq!(in_pieces(&[&" ".repeat(4095), "x"]).as_deref(), Some("x"));
    assert_eq!(in_pieces(&[&" ".repeat(4096), "x"]), None);

    // Goes on writing after an error of the formatter: nothing follows the mark of the cut.
    let long: &'static str = "x".repeat(245).leak();
    for (pieces, kept) in
        [(&["🦀", "x"][..], "🦀x".repeat(50)), (&[long, "\u{e0001}", "\u{e0001}", "abc"], long.to_owned())]
    {
        let pieces = pieces.to_vec();
        let deaf = printed(move |f| {
            pieces.iter().cycle().take(600).for_each(|piece| f.write_str(piece).unwrap_or_default());
            Ok(())
        });
        assert_eq!(deaf, Some(format!("{kept}…")));
    }

    let broken = printed(|f| f.write_str("half a ").and(Err(fmt::Error)));
    assert_eq!(broken.as_deref(), Some("half a"));
}
