use crate::escaped::Escaped;

/// The error of parsing a word of the vocabulary or a close code.
///
/// Names the key, shows the text (escaped, and cut if it is long), and lists what would have
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
///     "invalid disconnect_initiator \"Client\\n\": \
///      expected one of client, agent, server, network, unknown",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid {key} \"{text}\": expected one of {}", accepted.join(", "))]
pub struct ParseError {
    key: &'static str,
    text: Escaped,
    accepted: &'static [&'static str],
}

impl ParseError {
    pub(crate) fn new(key: &'static str, text: &str, accepted: &'static [&'static str]) -> Self {
        Self { key, text: Escaped::copy(text), accepted }
    }
}
