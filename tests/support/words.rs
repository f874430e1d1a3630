//! A record without its numbers, as one line of text.

use disconnect_attribution::Disconnect;

/// What `Display` prints, but for the numbers, which a test on a real clock can't know.
pub(crate) fn words(end: &Disconnect) -> String {
    let parts: Vec<String> = [
        end.trigger().map(|trigger| trigger.to_string()),
        end.code().map(|code| code.to_string()),
        end.peer().map(|peer| format!("peer {peer}")),
        end.exit_code().map(|code| format!("exit code {code}")),
        end.connection_method().map(|method| method.to_string()),
        end.origin().map(|origin| format!("from {origin}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let layer = end.connect_type();
    let reason = end.reason();
    let who = end.initiator().map(|who| format!(" by {who}"));
    let parts = (!parts.is_empty()).then(|| format!(" ({})", parts.join(", ")));
    let detail = end.detail().map(|detail| format!(": {detail}"));
    let [who, parts, detail] = [who, parts, detail].map(Option::unwrap_or_default);
    format!("{layer} ended{who}: {reason}{parts}{detail}")
}
