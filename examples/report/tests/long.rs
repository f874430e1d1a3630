//! Damaged logs without end: see `tests/support/long.rs` of the library.

#[path = "support/damage.rs"]
mod damage;
#[path = "../../../tests/support/long.rs"]
mod long;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use damage::{damaged_log, none_is_lost};

#[test]
#[ignore = "long"]
fn no_record_of_a_damaged_log_is_lost() {
    long::run(&damaged_log(), |(chosen, carriage_returns)| {
        let records = none_is_lost(&chosen, carriage_returns)?;
        Ok(records > 0)
    });
}
