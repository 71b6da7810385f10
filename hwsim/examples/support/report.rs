//! The rows of `make bench`: one JSON object a line.

use serde_json::{Value, json};

/// A figure, and what it is held against.
#[derive(Debug)]
pub(crate) struct Row(Value);

impl Row {
    /// A figure alone.
    pub(crate) fn new(name: &str, value: f64, unit: &str) -> Row {
        Row(json!({ "name": name, "value": digits(value), "unit": unit }))
    }

    /// What something else did in the same run.
    pub(crate) fn beside(mut self, peer: &str, value: f64) -> Row {
        let own = self.value();
        self.0["peer"] = json!(peer);
        self.0["peer_value"] = digits(value);
        self.0["ratio"] = digits(own / value);
        self
    }

    /// The value must be at least this.
    pub(crate) fn at_least(mut self, target: f64) -> Row {
        self.0["met"] = json!(self.value() >= target);
        self.0["target"] = digits(target);
        self
    }

    /// The value must be at most this.
    pub(crate) fn at_most(mut self, target: f64) -> Row {
        self.0["met"] = json!(self.value() <= target);
        self.0["target"] = digits(target);
        self
    }

    /// Onto standard output.
    pub(crate) fn print(self) {
        println!("{}", self.0);
    }

    fn value(&self) -> f64 {
        self.0["value"].as_f64().unwrap_or(f64::NAN)
    }
}

/// Four digits say all that a measurement on a shared machine knows.
fn digits(value: f64) -> Value {
    if value.abs() >= 1000.0 {
        json!(value.round())
    } else {
        format!("{value:.3e}").parse::<f64>().map_or(Value::Null, |value| json!(value))
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
