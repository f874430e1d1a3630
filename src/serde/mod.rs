//! serde: the record as a flat map, each enum as its text.
//!
//! Reading is lenient where a newer writer may know more than this crate, and strict where a value
//! makes no sense at all.

mod go;
mod record;
mod value;
mod write;
