//! serde: the record as a flat map, each enum as its text.
//!
//! Reading is lenient if a newer writer may know more than this crate, and strict if a value
//! makes no sense at all.

mod go;
mod record;
mod value;
mod write;
