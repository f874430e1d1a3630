//! Values of lines: of JSON, and of the fields of a text.

use std::borrow::Cow;

use jiff::Timestamp;

use super::keys::squashed;
use super::time;

/// A value, borrowed from its line as far as that holds it as it is.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Nothing,
    Bool(bool),
    Integer(i64),
    Fraction(f64),
    Text(Cow<'a, str>),
    /// A text that is one, so that it is read once.
    Time(Timestamp),
    /// A text without quotes, so that something may be glued to it or missing.
    Word(&'a str),
    /// A text whose quotes are not where a writer puts them.
    Damaged,
    List(Vec<Value<'a>>),
    Map(Map<'a>),
}

/// In the order of the line. A key that stands twice counts with its last value.
pub(super) type Map<'a> = Vec<(Cow<'a, str>, Value<'a>)>;

impl<'a> Value<'a> {
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Word(word) => Some(word),
            _ => None,
        }
    }

    pub(super) fn as_map(&self) -> Option<&Map<'a>> {
        if let Self::Map(map) = self { Some(map) } else { None }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let (_, value) = self.as_map()?.iter().rfind(|(known, _)| known == key)?;
        Some(value.peeled())
    }

    /// What it is under the lists of one and the types that collectors put around it.
    pub(super) fn peeled(&self) -> &Self {
        match self {
            Self::List(items) if items.len() == 1 => items[0].peeled(),
            Self::Map(map) => match &map[..] {
                [(key, value)] if key.ends_with("Value") || key.ends_with("_value") => value.peeled(),
                _ => self,
            },
            _ => self,
        }
    }

    /// A text, number or bool as a text.
    pub(super) fn shown(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(number) => Some(number.to_string()),
            Self::Fraction(number) => Some(number.to_string()),
            Self::Text(_) | Self::Word(_) => self.as_str().map(str::to_owned),
            Self::Nothing | Self::Time(_) | Self::Damaged | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// A list of names and values, as OTLP and CloudWatch Insights write a map.
    pub(super) fn pairs(&self) -> Option<Self> {
        let pair = |item: &Self| {
            let name = ["key", "field", "name"].iter().find_map(|name| item.get(name)?.as_str())?;
            Some((name.to_owned().into(), item.get("value")?.clone()))
        };
        match self {
            Self::List(items) if !items.is_empty() => {
                items.iter().map(pair).collect::<Option<_>>().map(Self::Map)
            }
            _ => None,
        }
    }

    /// The rows of a table as maps, as Azure and Elasticsearch's SQL have them beside the names of columns.
    pub(super) fn rows(&self) -> Option<Self> {
        let list = |name: &str| match self.as_map()?.iter().find(|(key, _)| key == name)? {
            (_, Self::List(items)) => Some(items),
            _ => None,
        };
        let (columns, rows) = (list("columns")?, list("rows").or_else(|| list("values"))?);
        let names: Vec<_> =
            columns.iter().map(|column| column.get("name")?.as_str()).collect::<Option<_>>()?;
        let map = |row: &Self| match row {
            Self::List(values) => {
                let cells = names.iter().zip(values);
                Self::Map(cells.map(|(name, value)| ((*name).to_owned().into(), value.clone())).collect())
            }
            row => row.clone(),
        };
        Some(Self::List(rows.iter().map(map).collect()))
    }

    /// A text, or one as the list of its bytes, as journald writes what a terminal would act on.
    pub(super) fn text_or_bytes(&self) -> Option<Cow<'_, str>> {
        let byte = |item: &Self| match item {
            // What is no byte was one before something damaged it.
            Self::Integer(byte) => Some(u8::try_from(*byte).unwrap_or(b'?')),
            Self::Fraction(_) => Some(b'?'),
            _ => None,
        };
        match self {
            Self::List(items) => {
                let bytes: Vec<u8> = items.iter().map(byte).collect::<Option<_>>()?;
                Some(String::from_utf8_lossy(&bytes).into_owned().into())
            }
            _ => self.as_str().map(Cow::Borrowed),
        }
    }

    /// The value of a key in it or in a map in it; `kubernetes.pod` may be a key or a path.
    pub(super) fn find(&self, key: &str) -> Option<String> {
        let inside = |value: &Self| match value {
            Self::Map(_) => value.find(key),
            _ => value.pairs()?.find(key),
        };
        let own = self.get(key).and_then(Self::shown);
        let path = || key.split_once('.').and_then(|(first, rest)| self.get(first)?.find(rest));
        let deeper = || self.as_map()?.iter().find_map(|(_, value)| inside(value));
        let spans = || match self.get("spans")? {
            Self::List(spans) => spans.iter().rev().find_map(inside),
            span => inside(span),
        };
        own.or_else(path).or_else(deeper).or_else(spans)
    }

    /// The message of a line, if it is no line itself.
    pub(super) fn message(&self) -> Option<String> {
        // Loki's time and line.
        if let Self::List(items) = self
            && let [time, line, ..] = &items[..]
            && time::of(time).is_some()
        {
            return Self::Map(vec![("line".into(), line.clone())]).message();
        }
        let messages = self.as_map()?.iter().filter_map(|(key, value)| {
            let text = value.peeled().as_str()?;
            let key = squashed(key.strip_suffix("_s").unwrap_or(key));
            let known = ["msg", "message", "shortmessage", "body", "mt", "m", "line", "log"];
            Some((known.iter().position(|known| *known == key)?, text))
        });
        let (_, text) = messages.min_by_key(|(rank, _)| *rank)?;
        let is_line = text.starts_with('{') || text.contains(disconnect_attribution::keys::CONNECT_TYPE);
        (!is_line && !text.is_empty()).then(|| text.to_owned())
    }
}
