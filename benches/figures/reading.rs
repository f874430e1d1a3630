//! Reading a JSON line.

use std::hint::black_box;

use disconnect_attribution::Disconnect;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::case::{Case, Counted, each};
use crate::own::{Layer, Reason, Side};
use crate::table::{Row, Table};

const LINE: &str = r#"{"msg":"ssh session closed","level":"INFO","ts":"2026-01-02T03:04:05.678901234Z","exit_code":255,"disconnect_code":"ssh:11","disconnect_detail":"process exited with signal: 9 (SIGKILL)","disconnect_initiator":"agent","disconnect_expected":false,"disconnect_reason":"process_exited","connect_type":"agent_to_client"}"#;

macro_rules! readers {
    ($($name:ident $(<$lifetime:lifetime>)?: $layer:ty, $reason:ty, $side:ty, $text:ty;)*) => {$(
        #[derive(serde_derive::Deserialize)]
        #[allow(dead_code)]
        struct $name $(<$lifetime>)? {
            connect_type: $layer,
            disconnect_reason: $reason,
            disconnect_expected: bool,
            disconnect_initiator: Option<$side>,
            disconnect_detail: Option<$text>,
            disconnect_code: Option<$text>,
            exit_code: Option<i32>,
            connection_method: Option<$text>,
        }
    )*};
}
readers! {
    Enums: Layer, Reason, Side, String;
    Strings: String, String, String, String;
    Borrowed<'a>: &'a str, &'a str, &'a str, &'a str;
}

fn row<T: Deserialize<'static> + 'static>(name: &str) -> Row {
    let read = || {
        drop(black_box(serde_json::from_str::<T>(black_box(LINE))));
    };
    Row::new(name, [Case::new(move || each(read))])
}

pub(crate) fn table() -> Table {
    const OURS: &str = "`Disconnect`";
    const ENUMS: &str = "struct of enums, derived";
    const STRINGS: &str = "struct of `String`s";
    const BORROWED: &str = "struct of `&str`, borrowed";
    const SKIPPED: &str = "nothing: skipped";
    let rows = vec![
        row::<Disconnect>(OURS),
        row::<Enums>(ENUMS),
        row::<Strings>(STRINGS),
        row::<Borrowed<'static>>(BORROWED),
        row::<IgnoredAny>(SKIPPED),
        // Its map hashes with random keys.
        row::<Value>("`serde_json::Value`").counted(Counted::Never),
    ];
    Table::new("Reading a line of slog-json", "into", ["line"], rows).with_ratios([
        (OURS, ENUMS),
        (OURS, STRINGS),
        (OURS, BORROWED),
        (OURS, SKIPPED),
    ])
}
