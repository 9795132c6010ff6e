//! Reads JSON of other accounts strictly: repeated members, at any depth, and bytes behind the value are errors.
//! Otherwise two programs could read two different jobs from the same file.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON document. It must be an object, because serde would also accept a list of the members' values.
///
/// # Errors
/// The text is not a JSON object, has a repeated member or trailing bytes, or does not fit `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = StrictValue.deserialize(&mut deserializer)?;
    deserializer.end()?;
    if !value.is_object() {
        return Err(de::Error::custom("not a JSON object"));
    }
    serde_json::from_value(value)
}

/// Builds a [`Value`]. Refuses repeated members.
struct StrictValue;

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(StrictValue)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if map.contains_key(&name) {
                return Err(de::Error::custom(format!("member `{name}` comes twice")));
            }
            let value = members.next_value_seed(StrictValue)?;
            map.insert(name, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        from_slice::<Value>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn plain_json_passes_unchanged() {
        let text = r#"{"b":[1,-2,2.5,null,true],"a":{"x":"é"}}"#;
        assert_eq!(from_slice::<Value>(text.as_bytes()).unwrap().to_string(), text);
    }

    #[test]
    fn repeated_members_are_refused_at_any_depth() {
        assert!(refused(r#"{"a":1,"a":1}"#).starts_with("member `a` comes twice"));
        assert!(refused(r#"{"x":[{"a":1,"\u0061":2}]}"#).starts_with("member `a` comes twice"));
    }

    #[test]
    fn a_list_of_the_members_is_refused() {
        #[derive(Debug, serde::Deserialize)]
        struct Document {
            _a: u32,
        }
        assert_eq!(from_slice::<Document>(b"[1]").unwrap_err().to_string(), "not a JSON object");
    }

    #[test]
    fn trailing_bytes_and_deep_nesting_are_refused() {
        assert!(refused("{} {}").starts_with("trailing characters"));
        assert!(refused(&"[".repeat(100_000)).starts_with("recursion limit"));
    }
}
