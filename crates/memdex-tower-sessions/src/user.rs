//! The place of the user in the data of a session.

use crate::data::Data;
use crate::error::Error;
use serde_json::Value;

/// The keys that lead to the user: the first in the data, each other in the object of the one before it. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct UserPath {
    first: String,
    rest: Vec<String>,
}

impl UserPath {
    pub(crate) fn key(key: String) -> Self {
        UserPath { first: key, rest: Vec::new() }
    }

    pub(crate) fn inside(mut self, key: String) -> Self {
        self.rest.push(key);
        self
    }

    /// The user as text; `None` if there is no value, or null.
    pub(crate) fn user(&self, data: &Data) -> Result<Option<String>, Error> {
        let value = data.get(&self.first);
        let value = self.rest.iter().fold(value, |value, key| value.and_then(|value| value.get(key)));
        let found = match value {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(user)) => return Ok(Some(user.clone())),
            Some(Value::Number(user)) if !user.is_f64() => return Ok(Some(user.to_string())),
            Some(Value::Number(_)) => "a float",
            Some(Value::Bool(_)) => "a boolean",
            Some(Value::Array(_)) => "an array",
            Some(Value::Object(_)) => "an object",
        };
        let keys: Vec<&str> = std::iter::once(&self.first).chain(&self.rest).map(String::as_str).collect();
        Err(Error::User { path: keys.join("."), found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(path: &UserPath, user: Value) -> Result<Option<String>, String> {
        path.user(&[("user".to_owned(), user)].into()).map_err(|error| error.to_string())
    }

    #[test]
    fn strings_and_integers_are_users() {
        let path = UserPath::key("user".to_owned());
        for (value, expected) in [
            (json!("ada"), Some("ada")),
            (json!(7), Some("7")),
            (json!(-7), Some("-7")),
            (json!(u64::MAX), Some("18446744073709551615")),
            (json!(null), None),
        ] {
            assert_eq!(user(&path, value).unwrap().as_deref(), expected);
        }
        assert_eq!(UserPath::key("other".to_owned()).user(&[("user".to_owned(), json!(7))].into()).unwrap(), None);
    }

    #[test]
    fn other_values_are_errors() {
        let path = UserPath::key("user".to_owned());
        for value in [json!(7.0), json!(true), json!([7]), json!({ "id": 7 })] {
            let error = user(&path, value.clone()).unwrap_err();
            assert!(error.contains("\"user\"") && error.contains("must be a string or an integer"), "{value}: {error}");
        }
    }

    #[test]
    fn a_path_leads_into_objects() {
        let path = UserPath::key("user".to_owned()).inside("account".to_owned()).inside("id".to_owned());
        assert_eq!(user(&path, json!({ "account": { "id": 7 } })), Ok(Some("7".to_owned())));
        assert_eq!(user(&path, json!({ "account": 7 })), Ok(None));
        assert!(user(&path, json!({ "account": { "id": [] } })).unwrap_err().contains("\"user.account.id\""));
    }
}
