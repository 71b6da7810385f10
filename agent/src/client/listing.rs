//! Routes and neighbours, which come in pages: text is printed as it comes, JSON is one document.

use std::io::{self, Write as _};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::answer::{Failure, member, refusal};
use super::call::Conversation;
use super::grammar::Question;
use super::{Exit, Options, complain, json, print, text};
use crate::api::{NeighbourFilter, RouteFilter};
use crate::views::{Neighbour, Route};

/// `firsthop route`
pub(super) fn routes(
    options: &Options,
    filter: &RouteFilter,
    daemon: &mut Conversation,
) -> Result<Exit, Failure> {
    let question = Question::Route(filter.clone());
    let list = List { options, question, method: "ListRoute", rows: "routes" };
    list.print(json!(filter), daemon, |route: &Route| text::route(route))
}

/// `firsthop neigh`
pub(super) fn neighbours(
    options: &Options,
    filter: &NeighbourFilter,
    daemon: &mut Conversation,
) -> Result<Exit, Failure> {
    let question = Question::Neighbour(filter.clone());
    let list = List { options, question, method: "ListNeighbour", rows: "neighbours" };
    list.print(json!(filter), daemon, |host: &Neighbour| text::neighbour(host))
}

/// `firsthop route get`
pub(super) fn route_to(
    options: &Options,
    filter: &RouteFilter,
    daemon: &mut Conversation,
) -> Result<Exit, Failure> {
    let question = Question::RouteGet(filter.clone());
    let list = List { options, question, method: "ListRoute", rows: "routes" };
    let mut found: Vec<Route> = Vec::new();
    let told = list.each(json!(filter), daemon, |mut rows| {
        found.append(&mut rows);
        true
    })?;
    if found.is_empty() {
        let address = filter.address.map_or_else(String::new, |address| address.to_string());
        let line = if told.by_kernel {
            format!("{KERNEL}; `ip route get {address}` asks it")
        } else {
            format!("There is no route to {address} that the chip would look up")
        };
        return Err(Failure { line, exit: Exit::Refused });
    }
    told.warn();
    if options.json {
        print(&json::document(&found, options.pretty));
    } else {
        print(&options.colour.paint(found.iter().map(text::route).collect()));
    }
    Ok(Exit::Ok)
}

/// What to say where there is nothing to list.
const KERNEL: &str = "The kernel routes, not the chip: `routing` is \"cpu\"";

/// What all pages together tell beside their rows.
#[derive(Debug, Default)]
struct Told {
    stale: bool,
    by_kernel: bool,
}

impl Told {
    fn warn(&self) {
        if self.stale {
            complain("note: stale_view: events may have been missed; a new snapshot is under way");
        }
    }
}

/// A method that answers in pages.
struct List<'a> {
    options: &'a Options,
    question: Question,
    method: &'static str,
    rows: &'static str,
}

impl List<'_> {
    fn print<T: Serialize + DeserializeOwned>(
        &self,
        parameters: Value,
        daemon: &mut Conversation,
        line: impl Fn(&T) -> String,
    ) -> Result<Exit, Failure> {
        let mut all = Vec::new();
        let told = self.each(parameters, daemon, |mut rows: Vec<T>| {
            if self.options.json {
                all.append(&mut rows);
                return true;
            }
            let page = self.options.colour.paint(rows.iter().map(&line).collect());
            let mut out = io::stdout();
            // nobody reading it is no error, but the end
            out.write_all(page.as_bytes()).and_then(|()| out.flush()).is_ok()
        })?;
        if self.options.json {
            print(&json::document(&all, self.options.pretty));
        }
        if told.by_kernel {
            complain(&format!("note: {KERNEL}"));
        }
        told.warn();
        Ok(Exit::Ok)
    }

    /// Hands each page over until it is not wanted any more.
    fn each<T: DeserializeOwned>(
        &self,
        parameters: Value,
        daemon: &mut Conversation,
        mut take: impl FnMut(Vec<T>) -> bool,
    ) -> Result<Told, Failure> {
        let parameters = match parameters {
            Value::Object(parameters) => parameters,
            _ => Map::new(),
        };
        let mut told = Told::default();
        let patience = Some(std::time::Duration::ZERO);
        let mut reply = daemon.call(self.method, parameters, true, patience)?;
        loop {
            if let Some(error) = &reply.error {
                return Err(refusal(error, &reply, &self.question));
            }
            let rows: Vec<T> = member(&reply, self.rows).ok_or_else(|| Failure {
                line: format!(
                    "The answer of the daemon at {} has no usable {}; is it of another version?",
                    daemon.path().display(),
                    self.rows
                ),
                exit: Exit::Refused,
            })?;
            told.stale |= member(&reply, "stale") == Some(true);
            told.by_kernel |= member::<String>(&reply, "routing").as_deref() == Some("cpu");
            if !take(rows) || !reply.continues {
                return Ok(told);
            }
            reply = daemon.next_reply()?;
        }
    }
}
