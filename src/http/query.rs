//! The arguments after the question mark.

use std::str::FromStr;

use super::error::{ApiError, Invalid};
use super::percent;

/// Query arguments in the order in which they came; a name may come more than once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=x+y`; a name without `=` has the empty value.
    ///
    /// # Errors
    /// 422 for an escape that is malformed or not UTF-8.
    pub fn parse(query: &str) -> Result<Self, ApiError> {
        let arguments = query.split('&').filter(|argument| !argument.is_empty());
        arguments.map(parse_argument).collect::<Result<_, _>>().map(Self)
    }

    /// Every value of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(key, _)| key == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a name; of many, the last.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let argument = self.0.iter().rfind(|(key, _)| key == name);
        argument.map(|(_, value)| value.as_str())
    }

    /// The value of a name as a whole number of type `N`; None if it was not given.
    ///
    /// # Errors
    /// 422 if it is not such a number.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, ApiError> {
        self.get(name).map(|value| number(name, value)).transpose()
    }

    /// Every value of a name as a whole number of type `N`, in order.
    ///
    /// # Errors
    /// 422 if one is not such a number.
    pub fn numbers<N: FromStr>(&self, name: &str) -> Result<Vec<N>, ApiError> {
        self.all(name).map(|value| number(name, value)).collect()
    }

    /// The value of a name as a switch, which is off if it was not given.
    ///
    /// # Errors
    /// 422 if it is neither `true` or `1` nor `false` or `0`.
    pub fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(value) => Err(invalid(name, value, "bool_parsing", "Input should be true or false")),
        }
    }
}

fn number<N: FromStr>(name: &str, value: &str) -> Result<N, ApiError> {
    let number = value.parse();
    number.map_err(|_| invalid(name, value, "int_parsing", "Input should be a whole number in range"))
}

fn parse_argument(argument: &str) -> Result<(String, String), ApiError> {
    let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
    // Forms write a space as a plus; a real plus comes as %2B.
    let decode = |text: &str| percent::decode(&text.replace('+', " "));
    match (decode(name), decode(value)) {
        (Some(name), Some(value)) => Ok((name, value)),
        _ => Err(invalid(name, argument, "percent_encoding", "Input should be percent-encoded UTF-8")),
    }
}

fn invalid(name: &str, input: &str, kind: &'static str, message: &str) -> ApiError {
    ApiError::invalid(Invalid {
        kind,
        location: vec!["query".into(), name.into()],
        message: message.into(),
        input: input.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::parse(text).unwrap()
    }

    #[test]
    fn repeated_names_keep_their_order() {
        let query = query("change_url=2&x=&change_url=1");
        assert_eq!(query.all("change_url").collect::<Vec<_>>(), ["2", "1"]);
        assert_eq!(query.get("change_url"), Some("1"));
        assert_eq!(query.get("x"), Some(""));
        assert_eq!(query.get("absent"), None);
    }

    #[test]
    fn names_and_values_are_decoded() {
        let query = query("&a%20b=c+d%2B%26%3D=e&flag&");
        assert_eq!(query.get("a b"), Some("c d+&==e"));
        assert_eq!(query.get("flag"), Some(""));
    }

    #[test]
    fn what_is_not_well_formed_is_422() {
        for bad in ["a=%", "a=%ff", "%zz=1"] {
            assert_eq!(Query::parse(bad).unwrap_err().status(), 422, "{bad}");
        }
    }

    #[test]
    fn numbers_and_flags_are_checked() {
        let query = query("limit=10&skip=-1&big=99999999999999999999&on=1&off=false&odd=maybe");
        assert_eq!(query.number::<u64>("limit").unwrap(), Some(10));
        assert_eq!(query.number::<i64>("skip").unwrap(), Some(-1));
        assert_eq!(query.number::<u64>("absent").unwrap(), None);
        assert!(query.number::<u64>("skip").is_err());
        assert!(query.number::<u64>("big").is_err());
        assert_eq!(query.numbers::<i64>("limit").unwrap(), [10]);
        assert!(query.numbers::<i64>("big").is_err() && query.numbers::<i64>("absent").unwrap().is_empty());
        assert!(query.flag("on").unwrap());
        assert!(!query.flag("off").unwrap() && !query.flag("absent").unwrap());
        assert!(query.flag("odd").is_err());
    }
}
