//! The records in a line of any format, in any wrapper: JSON first, wherever it starts, then CSV, then text.

use memchr::{memchr, memchr_iter, memchr3};

use super::quote::{quoted, unescaped};
use super::record::Around;
use super::text::Line;
use super::value::Value;
use super::{Reader, Record, has_end, json, unreadable};

/// No line is wrapped more often than this.
const DEEPEST: u8 = 100;

/// So many braces of a line are tried as the start of JSON.
const BRACES: usize = 64;

impl Reader {
    pub(super) fn text(
        &self,
        text: &str,
        block: Option<&[String]>,
        outer: Option<&Around<'_>>,
        out: &mut Vec<Record>,
    ) {
        let is_space = |c: char| c.is_whitespace() || c == '\0';
        let text = text.trim_start_matches(['\u{feff}', '\u{1e}']).trim_end_matches(is_space);
        let text = if text.starts_with('`') { text.trim_matches('`') } else { text };
        if outer.is_some_and(|outer| outer.depth > DEEPEST) {
            return out.push(unreadable(Some(text), "wrapped too often", outer));
        }
        let is_odd = memchr3(b'>', b'&', 0xe2, text.as_bytes()).is_some();
        let has = |words: &[&str]| is_odd && words.iter().any(|word| text.contains(word));
        if has(&["\"=>", "\" =>"]) {
            // As Ruby and Fluent Bit print a map.
            let Some((prefix, line)) = self.raw(text) else {
                let json = text.replace("\" =>", "\"=>").replace("\"=>", "\":");
                return self.text(&json, block, outer, out);
            };
            let prefix = Line::of(prefix).into_value();
            return self.text(line, None, Some(&Around::new(&prefix, outer)), out);
        }
        let start = text.trim_start();
        let mut why = None;
        if block.is_none() && start.starts_with(['{', '[', '"']) {
            match self.json(start, outer, out) {
                Ok(()) => return,
                Err(error) => why = Some(error),
            }
        }
        if block.is_none() && memchr(b'\n', text.as_bytes()).is_some() {
            // It is several lines.
            let mut from = 0;
            while from < text.len()
                && let Some(lines) = self.next(text.as_bytes(), from, outer, out)
            {
                from = lines.end + 1;
            }
            return;
        }
        if memchr(0x1b, text.as_bytes()).is_some() {
            return self.text(&without_colours(text), block, outer, out);
        }
        if has(&["=&quot;", "=\u{201c}", "=\u{201d}"]) {
            return self.text(&pasted(text).unwrap_or_default(), block, outer, out);
        }
        if block.is_none() && (self.embedded(text, outer, out) || self.csv(text, outer, out)) {
            return;
        }
        let before = out.len();
        let is_json = start.strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with('"'));
        match why.filter(|_| is_json) {
            Some(why) => out.push(unreadable(Some(text), &why, outer)),
            None => self.fields(text, block.unwrap_or_default(), outer, out),
        }
        if block.is_none() && out.len() > before && !has_end(&out[before..]) {
            self.again(text, before, outer, out);
        }
    }

    /// Reads what a line that can't be read may have been, in place of what was made of it: a text of JSON that lost its
    /// end or its quotes, or what a page or a terminal changed.
    fn again(&self, text: &str, before: usize, outer: Option<&Around<'_>>, out: &mut Vec<Record>) {
        let literal = text.contains("\\\"").then(|| self.literal(text));
        for other in literal.into_iter().chain(pasted(text)) {
            let mut inside = Vec::new();
            let nothing = Value::Nothing;
            self.text(&other, None, Some(&Around::new(&nothing, outer)), &mut inside);
            if has_end(&inside) {
                out.truncate(before);
                out.append(&mut inside);
                return;
            }
        }
    }

    /// The value in which the key is in a map of Fluent Bit, which writes no escapes, and what stands before it; nothing
    /// if it is a text of JSON.
    fn raw<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (at, _) = self.finder.next(text.as_bytes(), 0)?;
        let start = text[..at].rfind("\"=>\"")? + 4;
        let value = &text[start..];
        let end = match value.find("\"=>") {
            Some(next) => value[..next].rfind("\", \"")?,
            None => value.rfind("\"}")?,
        };
        let is_json = quoted(&text[start - 1..]).is_some_and(|(_, length)| length == end + 2);
        (start + end > at && !is_json).then_some((&text[..start], &value[..end]))
    }

    /// Reads a text that is JSON as a whole, and what else stands behind it.
    fn json(&self, text: &str, outer: Option<&Around<'_>>, out: &mut Vec<Record>) -> Result<(), String> {
        let (value, end) = json::first(text)?;
        let mut rest = &text[end..];
        if matches!(value, Value::Text(_)) && !rest.trim().is_empty() {
            return Err("a text in quotes".to_owned());
        }
        self.walk(&value, outer, out);
        // More may be glued to it.
        while !rest.is_empty()
            && let Ok((value, end)) = json::first(rest)
        {
            self.walk(&value, outer, out);
            rest = &rest[end..];
        }
        if self.finder.is_in(rest) {
            self.text(rest, None, outer, out);
        }
        Ok(())
    }

    /// The text in quotes in which the key is, without its escapes; the whole text if there is none.
    fn literal(&self, text: &str) -> String {
        let at = self.finder.next(text.as_bytes(), 0).map_or(0, |(at, _)| at);
        let mut quotes = text[..at].rmatch_indices('"').map(|(at, _)| at);
        let start = quotes.find(|at| !text[..*at].ends_with('\\'));
        let text = start.map_or(text, |start| &text[start..]);
        let whole = quoted(text).filter(|_| start.is_some());
        whole.map_or_else(|| unescaped(text.trim_start_matches('"')), |(text, _)| text.into_owned())
    }

    /// Reads JSON behind a prefix, and more of it behind that.
    fn embedded(&self, text: &str, outer: Option<&Around<'_>>, out: &mut Vec<Record>) -> bool {
        let none = out.len();
        let (mut from, mut at, mut tries) = (0, 0, 0);
        while tries < BRACES
            && let Some(found) = memchr(b'{', &text.as_bytes()[at..])
        {
            let start = at + found;
            at = start + 1;
            if !text[at..].trim_start().starts_with('"') {
                continue;
            }
            tries += 1;
            let Ok((value, length)) = json::first(&text[start..]) else {
                continue;
            };
            let (between, end) = (&text[from..start], start + length);
            let is_outside = || self.finder.is_in(between) || self.finder.is_in(&text[end..]);
            // The value of a field is its line's.
            if between.ends_with('=') && is_outside() || !self.finder.is_in(&text[start..end]) {
                at = end;
                continue;
            }
            let before = out.len();
            let prefix = Line::of(between).into_value();
            self.walk(&value, Some(&Around::new(&prefix, outer)), out);
            if !has_end(&out[before..]) {
                out.truncate(before);
                continue;
            }
            if self.finder.is_in(between) {
                self.text(between, None, outer, out);
            }
            (from, at) = (end, end);
        }
        let is_found = out.len() > none;
        if is_found && self.finder.is_in(&text[from..]) {
            self.text(&text[from..], None, outer, out);
        }
        is_found
    }

    /// Reads a line of CSV whose fields are texts; the others may have its time.
    fn csv(&self, text: &str, outer: Option<&Around<'_>>, out: &mut Vec<Record>) -> bool {
        // A line without a field in quotes is any text that has a comma.
        let bytes = text.as_bytes();
        let starts_field = |at: usize| at == 0 || matches!(bytes[at - 1], b',' | b';' | b'\t' | b'|');
        let is_csv = memchr_iter(b'"', bytes).any(starts_field);
        let fields = [',', ';', '\t', '|'].into_iter().filter(|_| is_csv).find_map(|between| {
            let fields = fields(text, between)?;
            (fields.len() > 1 || text.contains("\"\"")).then_some(fields)
        });
        let value = Value::List(fields.into_iter().flatten().map(Value::text).collect());
        let Value::List(fields) = &value else { return false };
        let lines = fields.iter().filter_map(Value::as_str).filter(|field| self.finder.is_in(field));
        let around = Around::new(&value, outer);
        let mut is_found = false;
        for line in lines {
            self.text(line, None, Some(&around), out);
            is_found = true;
        }
        is_found
    }
}

/// The fields of a line of CSV (RFC 4180), if it is one with this between them.
fn fields(line: &str, between: char) -> Option<Vec<String>> {
    // Every other part is in quotes.
    let parts: Vec<_> = line.split('"').collect();
    let last = parts.len() - 1;
    let mut fields = vec![String::new()];
    for (index, part) in parts.iter().enumerate() {
        let field = fields.last_mut()?;
        if index % 2 == 1 {
            field.push_str(part);
        } else if part.is_empty() && index > 0 && index < last {
            field.push('"');
        } else {
            // It stands between a text in quotes and another.
            let follows = index == 0 || part.is_empty() || part.starts_with(between);
            let precedes = index == last || part.is_empty() || part.ends_with(between);
            if !follows || !precedes {
                return None;
            }
            let mut pieces = part.split(between);
            field.push_str(pieces.next()?);
            fields.extend(pieces.map(str::to_owned));
        }
    }
    (last % 2 == 0).then_some(fields)
}

/// Without escape sequences, and without what is left of damaged ones.
pub(super) fn without_colours(line: &str) -> String {
    console::strip_ansi_codes(line).replace('\u{1b}', "")
}

/// A line as it was before a page changed its quotes and spaces, or something the character that starts its colours:
/// rsyslog, `cat -v`, a debugger, a browser that drops it.
fn pasted(text: &str) -> Option<String> {
    let is_code = |code: &str| code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';');
    let mut pieces = text.split('[');
    let mut plain = pieces.next()?.to_owned();
    for piece in pieces {
        if let Some((_, rest)) = piece.split_once('m').filter(|(code, _)| is_code(code)) {
            let start = ["#033", "^[", "\\x1b", "\\u001b"].iter().find_map(|start| plain.strip_suffix(start));
            plain.truncate(start.map_or(plain.len(), str::len));
            plain.push_str(rest);
        } else {
            plain.push('[');
            plain.push_str(piece);
        }
    }
    // What stands for what.
    let replaced = [
        ("#012", "\n"),
        ("\\_", "_"),
        ("&quot;", "\""),
        ("\u{201c}", "\""),
        ("\u{201d}", "\""),
        ("\u{a0}", " "),
    ];
    let plain = replaced.iter().fold(plain, |plain, (from, to)| plain.replace(from, to));
    (plain != text).then_some(plain)
}

pub(super) fn likely_format(line: &str) -> &'static str {
    let line = line.trim_start();
    let has = |words: &[&str]| words.iter().any(|word| line.contains(word));
    if line.starts_with('{') && !line.ends_with('}') {
        "JSON that was cut"
    } else if line.starts_with('{') {
        "JSON"
    } else if line.starts_with('"') {
        "JSON spread over lines (jq -c puts it on one)"
    } else if has(&["[debu]", "[info]", "[warn]", "[erro]", "[crit]", "[fata]"]) {
        "the Go agents' human format"
    } else if has(&["level="]) {
        "the text of Go's log/slog"
    } else if has(&["TRACE ", "DEBUG ", "INFO ", "WARN ", "ERROR "]) {
        "the text of tracing-subscriber"
    } else {
        "no format that is known here"
    }
}
