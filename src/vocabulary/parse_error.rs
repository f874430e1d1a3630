use std::fmt;

use crate::detail::Detail;

/// The error of parsing a word of the vocabulary.
///
/// Names the key, shows the text (escaped, and cut where it is long), and lists what would have
/// been accepted.
///
/// # Examples
///
/// ```
/// use disconnect_attribution::Initiator;
///
/// let error = "Client\n".parse::<Initiator>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid disconnect_initiator "Client\n": expected one of client, agent, server, network, unknown"#,
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {key} \"{text}\": expected {expected}")]
pub struct ParseError {
    key: &'static str,
    text: Detail,
    expected: Expected,
}

impl ParseError {
    pub(crate) fn not_one_of(
        key: &'static str,
        text: &str,
        accepted: &'static [&'static str],
    ) -> Self {
        Self {
            key,
            text: Detail::from_display(&text),
            expected: Expected::OneOf(accepted),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expected {
    OneOf(&'static [&'static str]),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(accepted) => {
                f.write_str("one of ")?;
                for (index, word) in accepted.iter().enumerate() {
                    let separator = if index == 0 { "" } else { ", " };
                    write!(f, "{separator}{word}")?;
                }
                Ok(())
            }
        }
    }
}
