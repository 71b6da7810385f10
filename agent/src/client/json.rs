//! One valid JSON document, with members in the order of the views.

use std::collections::BTreeMap;

use serde::Serialize;

/// A document and a line feed.
pub(super) fn document(value: &impl Serialize, pretty: bool) -> String {
    let text =
        if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
    let mut text = text.expect("views are plain data");
    text.push('\n');
    text
}

/// devlink's nesting: `{"trap":{"HANDLE":[…]}}`.
pub(super) fn by_handles<T: Serialize>(
    what: &'static str,
    devices: Vec<(String, Vec<T>)>,
) -> BTreeMap<&'static str, BTreeMap<String, Vec<T>>> {
    BTreeMap::from([(what, devices.into_iter().collect())])
}

/// The same for a chip; without one the inner object is empty.
pub(super) fn by_handle<'a, T>(
    what: &'static str,
    handle: Option<&'a str>,
    rows: &'a [T],
) -> BTreeMap<&'static str, BTreeMap<&'a str, &'a [T]>> {
    let inner = handle.map(|handle| (handle, rows)).into_iter().collect();
    BTreeMap::from([(what, inner)])
}

/// One line of `monitor`.
pub(super) fn line(event: &impl Serialize, time: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Line<'a, T> {
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<&'a str>,
        #[serde(flatten)]
        event: &'a T,
    }
    document(&Line { time, event }, false)
}
