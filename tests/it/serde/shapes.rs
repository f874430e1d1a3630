//! Formats differ in the shape in which they show a value: those of serde's data model that no format of
//! the other tests has.

use disconnect_attribution::Disconnect;
use serde::Deserialize;
use serde::de::value::{Error, MapDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::rejected;

#[derive(Debug, Clone, Copy)]
enum Shape {
    Text(&'static str),
    Signed(i128),
    Unsigned(u128),
    Bytes,
    None,
    Some(&'static Shape),
    Newtype(&'static Shape),
    Map(&'static [(&'static str, Shape)]),
}
use Shape::{Bytes, Map, Newtype, None as Nothing, Signed, Some as Optional, Text, Unsigned};

impl IntoDeserializer<'_> for Shape {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Shape {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Text(text) => visitor.visit_str(text),
            Signed(integer) => visitor.visit_i128(integer),
            Unsigned(integer) => visitor.visit_u128(integer),
            Bytes => visitor.visit_bytes(b"bytes"),
            Nothing => visitor.visit_none(),
            Optional(shape) => visitor.visit_some(*shape),
            Newtype(shape) => visitor.visit_newtype_struct(*shape),
            Map(entries) => visitor.visit_map(MapDeserializer::new(entries.iter().copied())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

fn read(key: &'static str, value: Shape) -> Result<Disconnect, String> {
    let entries =
        [("connect_type", Text("agent_to_client")), ("disconnect_reason", Text("rejected")), (key, value)];
    let map = MapDeserializer::<_, Error>::new(entries.into_iter());
    Disconnect::deserialize(map).map_err(|error| error.to_string())
}

/// With its feature `arbitrary_precision`, `serde_json` gives a number as a map of its digits.
const DIGITS: &str = "$serde_json::private::Number";

#[test]
fn a_number_is_read_in_every_shape_that_an_integer_has() {
    for shape in [
        Signed(7),
        Unsigned(7),
        Optional(&Signed(7)),
        Newtype(&Unsigned(7)),
        Newtype(&Optional(&Signed(7))),
        Map(&[(DIGITS, Text("7"))]),
    ] {
        let end = read("exit_code", shape);
        assert_eq!(end, Ok(rejected().with_exit_code(7)), "{shape:?}");
    }
    assert_eq!(
        read("exit_code", Map(&[(DIGITS, Text("3221225786"))])),
        Ok(rejected().with_exit_code(-1_073_741_510))
    );
    let most = read("bytes_sent", Map(&[(DIGITS, Text("18446744073709551615"))]));
    assert_eq!(most.map(|end| end.bytes_sent()), Ok(Some(u64::MAX)));
    // A number where the record may stand is none.
    assert_eq!(read("fields", Map(&[(DIGITS, Text("7"))])), Ok(rejected()));
    assert_eq!(read("exit_code", Nothing), Ok(rejected()));
    assert_eq!(read("disconnect_detail", Nothing), Ok(rejected()));
}

#[test]
fn a_shape_that_holds_no_such_value_is_refused_and_named() {
    let integer = "integer of more than 64 bits";
    let rows = [
        (Bytes, "byte array"),
        (Signed(1 << 70), integer),
        (Signed(-(1 << 70)), integer),
        (Unsigned(1 << 70), integer),
        (Unsigned(u128::MAX), integer),
        (Map(&[(DIGITS, Signed(7))]), "map"),
        (Map(&[(DIGITS, Text("1.5"))]), "number"),
        (Map(&[(DIGITS, Text("1e400"))]), "number"),
        (Map(&[(DIGITS, Text("4294967296"))]), "integer `4294967296`"),
    ];
    for (shape, found) in rows {
        let error = format!("invalid type: {found}, expected an exit code of 32 bits");
        assert_eq!(read("exit_code", shape), Err(error), "{shape:?}");
    }
    let text = read("disconnect_detail", Map(&[(DIGITS, Text("7"))]));
    assert_eq!(text, Err("invalid type: integer `7`, expected a text".to_owned()));
}

#[test]
fn a_record_under_fields_is_found_in_every_shape_and_anything_else_there_is_ignored() {
    const RECORD: Shape =
        Map(&[("connect_type", Text("agent_to_client")), ("disconnect_reason", Text("rejected"))]);
    let nested = |shape| {
        let map = MapDeserializer::<_, Error>::new([("fields", shape)].into_iter());
        Disconnect::deserialize(map).ok()
    };
    for shape in [RECORD, Optional(&RECORD), Newtype(&RECORD)] {
        assert_eq!(nested(shape), Some(rejected()), "{shape:?}");
    }
    for shape in [Signed(1), Unsigned(1), Bytes, Nothing, Optional(&Bytes), Newtype(&Text("x"))] {
        assert_eq!(nested(shape), None, "{shape:?}");
        assert_eq!(read("fields", shape), Ok(rejected()), "{shape:?}");
    }
}
