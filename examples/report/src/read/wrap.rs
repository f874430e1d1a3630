//! What container runtimes and collectors put before a line.

use jiff::Timestamp;

use super::time;

/// Who wrapped a line, for people.
pub(crate) type Wrapper = &'static str;

const MONTHS: [&str; 12] = [
    "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec ",
];

/// A line without its outermost prefix.
pub(crate) struct Stripped<'a> {
    pub(crate) inner: &'a str,
    pub(crate) time: Option<Timestamp>,
    pub(crate) wrapper: Wrapper,
}

/// Takes the outermost prefix off, if there is one.
pub(crate) fn strip(text: &str) -> Option<Stripped<'_>> {
    match text.as_bytes().first()? {
        b'[' => pod(text),
        b'0'..=b'9' => timed(text).or_else(|| compose(text)),
        b'A'..=b'Z' => journal(text).or_else(|| compose(text)),
        _ => compose(text),
    }
}

/// `[pod/name/container] `, as `kubectl logs --prefix` writes it.
fn pod(text: &str) -> Option<Stripped<'_>> {
    let (name, inner) = text.strip_prefix("[pod/")?.split_once("] ")?;
    (!name.contains(' ')).then_some(Stripped {
        inner,
        time: None,
        wrapper: "kubectl logs --prefix",
    })
}

/// `name | `, with spaces before the bar where names are aligned.
fn compose(text: &str) -> Option<Stripped<'_>> {
    let name = text
        .bytes()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')))?;
    let rest = text.get(name..)?.trim_start_matches(' ');
    let rest = rest.strip_prefix('|')?;
    (name > 0).then_some(Stripped {
        inner: rest.strip_prefix(' ').unwrap_or(rest),
        time: None,
        wrapper: "name |",
    })
}

/// `TIME stdout F `, `TIME host program[1]: `, or only a time before what has its own form.
fn timed(text: &str) -> Option<Stripped<'_>> {
    let (time, rest) = time::leading(text)?;
    let rest = rest.strip_prefix(' ')?;
    let stripped = |inner, wrapper| {
        Some(Stripped {
            inner,
            time: Some(time),
            wrapper,
        })
    };
    for stream in ["stdout F ", "stderr F ", "stdout P ", "stderr P "] {
        if let Some(inner) = rest.strip_prefix(stream) {
            return stripped(inner, "CRI");
        }
    }
    if let Some(inner) = rest
        .strip_prefix("stdout F")
        .or(rest.strip_prefix("stderr F"))
        && inner.is_empty()
    {
        return stripped(inner, "CRI");
    }
    if rest.starts_with('[') {
        // The level of the human format.
        return None;
    }
    if rest.starts_with('{') || rest.starts_with("    ") || time::leading(rest).is_some() {
        return stripped(rest, "a time");
    }
    let (_host, rest) = rest.split_once(' ')?;
    let (program, inner) = rest.split_once(": ")?;
    if !program.ends_with(']') || !program.contains('[') || program.contains(' ') {
        return None;
    }
    stripped(inner, "journald")
}

/// `May 13 17:42:21 host program[1]: `. There is no year in it, so it is no usable time.
fn journal(text: &str) -> Option<Stripped<'_>> {
    if !MONTHS.iter().any(|month| text.starts_with(month)) {
        return None;
    }
    let day = text.get(4..)?.trim_start();
    let (_day, rest) = day.split_once(' ')?;
    let (clock, rest) = rest.split_once(' ')?;
    let (_host, rest) = rest.split_once(' ')?;
    let (program, inner) = rest.split_once(": ")?;
    (clock.len() >= 8 && clock.as_bytes()[2] == b':' && !program.contains(' ')).then_some(
        Stripped {
            inner,
            time: None,
            wrapper: "journald",
        },
    )
}
