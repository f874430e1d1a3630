//! serde: what is written, what reads back, what is refused.

mod formats;
mod go;
mod lines;
mod random;
mod shapes;
mod values;

use std::fmt::{Debug, Display};
use std::str::FromStr;

use disconnect_attribution::{
    CloseCode, ConnectType, ConnectionMethod, Disconnect, DisconnectReason, Initiator, ParseError, Trigger,
};
use serde::Serialize;
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{Deserialize, DeserializeOwned};
use serde_json::{Value, from_value, json, to_value};

use crate::support::{bare, end, full};

/// Formats that show their own types.
#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Cbor,
    MessagePack,
    Toml,
    Yaml,
}

use Format::{Cbor, Json, MessagePack, Toml, Yaml};

impl Format {
    fn write(self, value: &impl Serialize) -> Vec<u8> {
        match self {
            Json => serde_json::to_vec(value).expect("written"),
            Cbor => {
                let mut bytes = Vec::new();
                ciborium::into_writer(value, &mut bytes).expect("written");
                bytes
            }
            MessagePack => rmp_serde::to_vec(value).expect("written"),
            Toml => toml::to_string(value).expect("written").into_bytes(),
            Yaml => serde_norway::to_string(value).expect("written").into_bytes(),
        }
    }

    fn read<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, String> {
        match self {
            Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Cbor => ciborium::from_reader(bytes).map_err(|error| error.to_string()),
            MessagePack => rmp_serde::from_slice(bytes).map_err(|error| error.to_string()),
            Toml => toml::from_slice(bytes).map_err(|error| error.to_string()),
            Yaml => serde_norway::from_slice(bytes).map_err(|error| error.to_string()),
        }
    }
}

const FULL: &str = r#"{"connect_type":"agent_to_client","disconnect_reason":"process_exited","disconnect_expected":false,"disconnect_initiator":"agent","disconnect_trigger":"max_age","disconnect_peer":"client","disconnect_code":"ssh:11","disconnect_detail":"process exited with error status: 7","disconnect_origin":"server_to_agent","exit_code":7,"connection_method":"direct","connection_duration_ms":61234,"peer_silence_ms":60000,"bytes_received":18446744073709551615,"bytes_sent":0,"clock_jump_ms":-3600000}"#;

const BARE: &str =
    r#"{"connect_type":"server_to_agent","disconnect_reason":"graceful","disconnect_expected":true}"#;

fn read(line: &str) -> Disconnect {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What is wrong with a line, without the place.
fn refused(line: &str) -> String {
    let error = serde_json::from_str::<Disconnect>(line).expect_err(line);
    let error = error.to_string();
    let (text, _) = error.split_once(" at line").unwrap_or((&error, ""));
    text.to_owned()
}

/// A line of the data plane with one more value.
fn line_with(key: &str, value: &Value) -> String {
    let mut line = json!({"connect_type": "agent_to_client", "disconnect_reason": "rejected"});
    line[key] = value.clone();
    line.to_string()
}

fn rejected() -> Disconnect {
    end(DisconnectReason::Rejected)
}

#[test]
fn a_record_is_a_flat_map_in_the_order_of_the_schema() {
    for (end, text) in [(full(), FULL), (bare(), BARE)] {
        assert_eq!(serde_json::to_string(&end).expect("written"), text);
        assert_eq!(read(text), end);
    }
}

#[test]
fn a_refusal_names_what_is_wrong_and_what_would_be_right() {
    let layers = "expected one of server_to_agent, agent_to_client, client_to_server";
    let rows = [
        ("{}", "missing field `connect_type`"),
        (r#"{"connect_type":"agent_to_client"}"#, "missing field `disconnect_reason`"),
        (r#"{"connect_type":null,"disconnect_reason":"graceful"}"#, "missing field `connect_type`"),
        (
            r#"{"connect_type":"agent","disconnect_reason":"graceful"}"#,
            &format!("invalid connect_type \"agent\": {layers}"),
        ),
        (
            r#"{"connect_type":"","disconnect_reason":"graceful"}"#,
            &format!("invalid connect_type \"\": {layers}"),
        ),
        (
            r#"{"connect_type":3,"disconnect_reason":"graceful"}"#,
            "invalid type: integer `3`, expected a connect type",
        ),
        ("[]", "invalid type: sequence, expected a map with the fields of a disconnect"),
        ("7", "invalid type: integer `7`, expected a map with the fields of a disconnect"),
        ("\"x\"", "invalid type: string, expected a map with the fields of a disconnect"),
        ("null", "invalid type: null, expected a map with the fields of a disconnect"),
    ];
    for (line, text) in rows {
        assert_eq!(refused(line), text);
    }
    // Formats other than JSON have keys that are no texts.
    let map = MapDeserializer::<_, ValueError>::new([(1_u8, 2_u8)].into_iter());
    let error = Disconnect::deserialize(map).expect_err("refused").to_string();
    assert_eq!(error, "invalid type: integer `1`, expected a key");
}

#[test]
fn each_enum_is_its_text() {
    fn check<T>(variants: &[T], new: &Result<T, String>)
    where
        T: Serialize + DeserializeOwned + Copy + PartialEq + Debug + Display,
    {
        for variant in variants {
            let text = json!(variant.to_string());
            assert_eq!(to_value(variant).expect("written"), text);
            assert_eq!(from_value::<T>(text).expect("accepted"), *variant);
        }
        for wrong in [json!(7), json!([]), json!({}), Value::Null] {
            assert!(from_value::<T>(wrong).is_err());
        }
        assert_eq!(from_value::<T>(json!("new")).map_err(|error| error.to_string()), *new);
    }
    fn refused<T: FromStr<Err = ParseError> + Debug>() -> Result<T, String> {
        Err("new".parse::<T>().expect_err("refused").to_string())
    }

    check(ConnectionMethod::VARIANTS, &Ok(ConnectionMethod::Unknown));
    check(DisconnectReason::VARIANTS, &Ok(DisconnectReason::Unknown));
    check(Initiator::VARIANTS, &Ok(Initiator::Unknown));
    check(ConnectType::VARIANTS, &refused());
    check(Trigger::VARIANTS, &refused());
    check(&[CloseCode::Quic(2), CloseCode::Grpc(-1)], &refused());
}

/// Users hold a record inside their own line.
#[test]
fn a_record_flattens_into_a_line_of_the_users() {
    #[derive(Debug, PartialEq, serde_derive::Serialize, serde_derive::Deserialize)]
    struct Line {
        msg: String,
        #[serde(flatten)]
        end: Disconnect,
    }

    for end in [full(), bare()] {
        let line = Line { msg: "closed".to_owned(), end };
        let text = serde_json::to_string(&line).expect("written");
        let fields = serde_json::to_string(&line.end).expect("written");
        assert_eq!(text, fields.replacen('{', "{\"msg\":\"closed\",", 1));
        assert_eq!(serde_json::from_str::<Line>(&text).expect("accepted"), line);
    }
}
