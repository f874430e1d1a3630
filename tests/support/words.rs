//! A record without its numbers, as one line of text.

use disconnect_attribution::Disconnect;

/// What `Display` prints, but for the numbers, which a test on a real clock can't know.
pub(crate) fn words(end: &Disconnect) -> String {
    let mut parts = Vec::new();
    parts.extend(end.trigger().map(|trigger| trigger.to_string()));
    parts.extend(end.code().map(|code| code.to_string()));
    parts.extend(end.exit_code().map(|code| format!("exit code {code}")));
    parts.extend(end.connection_method().map(|method| method.to_string()));
    parts.extend(end.origin().map(|origin| format!("from {origin}")));

    let mut text = format!("{} ended", end.connect_type());
    if let Some(initiator) = end.initiator() {
        text += &format!(" by {initiator}");
    }
    text += &format!(": {}", end.reason());
    if !parts.is_empty() {
        text += &format!(" ({})", parts.join(", "));
    }
    if let Some(detail) = end.detail() {
        text += &format!(": {detail}");
    }
    text
}
