//! Whatever happens to a log: each of its records counts, or is named as one that can't be read.

#[path = "support/damage.rs"]
mod damage;
#[path = "support/shapes.rs"]
mod shapes;
mod support;

use proptest::prelude::*;

use damage::{damaged_log, none_is_lost};

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_record_is_lost((chosen, carriage_returns) in damaged_log()) {
        none_is_lost(&chosen, carriage_returns)?;
    }
}
