//! The closing table: every end of the walk, read back from the agent's own JSON.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table};
use disconnect_attribution::{Disconnect, Initiator};
use serde_derive::Deserialize;

use crate::log::Lines;
use crate::paper::is_colourful;

/// A log line of an end.
#[derive(Deserialize)]
struct Line {
    scene: String,
    msg: String,
    #[serde(flatten)]
    end: Disconnect,
}

pub(super) const LEGEND: &str = "look? yes: unexpected; same: unexpected too, but inherited from a \
    line that has the yes, so that one outage counts as one.";

pub(super) fn table(lines: &Lines, scenes: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_preset(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(80)
        .set_header(["scene", "message", "reason", "by", "look?"]);
    let text = lines.text();
    // Lines about something else have no disconnect fields.
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let mut scene = None;
    for line in lines {
        let number = scenes.iter().position(|title| *title == line.scene);
        let is_new = number != std::mem::replace(&mut scene, number);
        let number = number.filter(|_| is_new);
        table.add_row([
            Cell::new(number.map_or(String::new(), |number| (number + 1).to_string())),
            Cell::new(&line.msg),
            Cell::new(line.end.reason()),
            Cell::new(line.end.initiator().map_or("", Initiator::as_str)),
            look(&line.end),
        ]);
    }
    table
}

/// Whether it is worth a look: once for each outage, at the line without an origin.
fn look(end: &Disconnect) -> Cell {
    match (end.expected(), end.origin()) {
        (true, _) => Cell::new("no"),
        (false, Some(_)) => Cell::new("same"),
        (false, None) if is_colourful() => Cell::new("yes").fg(Color::Yellow).add_attribute(Attribute::Bold),
        (false, None) => Cell::new("yes"),
    }
}
