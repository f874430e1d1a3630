//! What a disconnect line costs, beside what its user would write otherwise.
//!
//! `cargo bench --all-features` runs everything and ends with the tables of `benches/README.md`. A filter
//! (`cargo bench --all-features -- stream`) runs a part; the tables then show the last figures of the rest.

mod growth;
mod lines;
mod parts;
mod streams;
mod table;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    lines::bench(&mut criterion);
    parts::bench(&mut criterion);
    streams::bench(&mut criterion);
    criterion.final_summary();

    // `cargo test --benches` runs each benchmark once, to see that it works.
    if std::env::args().any(|argument| argument == "--bench") {
        lines::report();
        parts::report();
        streams::report();
        growth::report();
    }
}
