//! The two messages of varlink: a call and a reply.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Interface and method, with a dot between.
    pub method: String,
    /// Arguments by name.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "Map::is_empty")]
    pub parameters: Map<String, Value>,
    /// The client takes several replies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The client wants no reply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oneway: bool,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reply {
    /// Results by name; those of the error, where there is one.
    #[serde(default, deserialize_with = "or_none")]
    pub parameters: Map<String, Value>,
    /// More replies to the same call follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
    /// Interface and error, with a dot between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Some programs say `null` where there are no parameters.
fn or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Reply {
    /// A result.
    pub fn of(results: &impl Serialize) -> Self {
        Self { parameters: members(results), ..Self::default() }
    }

    /// A result that is not the last.
    pub fn continued(results: &impl Serialize) -> Self {
        Self { continues: true, ..Self::of(results) }
    }

    /// An error by its full name.
    pub fn error(name: impl Into<String>, details: &impl Serialize) -> Self {
        Self { error: Some(name.into()), ..Self::of(details) }
    }

    /// The results as a value of the type that the method promises.
    ///
    /// # Errors
    /// They are something else.
    pub fn results<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_value(Value::Object(self.parameters.clone()))
    }
}

/// The members of a value that is an object; of any other there are none.
fn members(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}
