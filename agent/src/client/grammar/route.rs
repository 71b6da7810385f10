//! `route`, `neigh` and `explain`, with the words of `ip route` and `ip neigh`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Question, Usage, Words, keyword};
use crate::api::{NeighbourFilter, RouteFilter};

/// `route [show] [dev DEV] [table TABLE|vrf NAME] [PREFIX]`, `route get ADDRESS [table TABLE|vrf NAME]`.
pub(super) fn route(words: &mut Words) -> Result<Question, Usage> {
    if words.rest.first().is_some_and(|word| word == "get" || word == "g") {
        words.next();
        let mut filter = RouteFilter::default();
        while let Some(word) = words.next() {
            if let Ok(address) = word.parse() {
                filter.address = Some(address);
                continue;
            }
            table(&mut filter, keyword("selector or address", word, &["table", "vrf"])?, words)?;
        }
        if filter.address.is_none() {
            return Err(Usage("Which route? Say an address: `firsthop route get ADDRESS`".into()));
        }
        return Ok(Question::RouteGet(filter));
    }
    words.verb()?;
    let mut filter = RouteFilter::default();
    while let Some(word) = words.next() {
        if let Some(found) = prefix(word) {
            filter.prefix = Some(found?);
            continue;
        }
        match keyword("selector or prefix", word, &["dev", "table", "vrf"])? {
            "dev" => filter.dev = Some(words.argument("dev", "a device")?),
            name => table(&mut filter, name, words)?,
        }
    }
    Ok(Question::Route(filter))
}

/// `neigh [show] [dev DEV] [ADDRESS]`
pub(super) fn neighbour(words: &mut Words) -> Result<Question, Usage> {
    words.verb()?;
    let mut filter = NeighbourFilter::default();
    while let Some(word) = words.next() {
        if let Ok(address) = word.parse() {
            filter.address = Some(address);
            continue;
        }
        keyword("selector or address", word, &["dev"])?;
        filter.dev = Some(words.argument("dev", "a device")?);
    }
    Ok(Question::Neighbour(filter))
}

/// `explain [dev] DEV`, `explain [route] PREFIX [table TABLE|vrf NAME]`
pub(super) fn explain(words: &mut Words) -> Result<Question, Usage> {
    words.skip("show");
    let is_device = words.skip("dev");
    let is_route = !is_device && words.skip("route");
    let word = words.next().ok_or_else(|| {
        Usage(
            "Explain what? Say a device or a prefix: `firsthop explain DEV`, `firsthop explain PREFIX`"
                .into(),
        )
    })?;
    let route = match prefix(word).filter(|_| !is_device) {
        // a device may be called so
        Some(_) if word == "default" && !is_route => None,
        Some(prefix) => Some(prefix?),
        None if is_route => return Err(no_prefix(word)),
        None => None,
    };
    let Some(prefix) = route else { return Ok(Question::Explain(word.to_owned())) };
    let mut filter = RouteFilter { prefix: Some(prefix), ..RouteFilter::default() };
    while let Some(word) = words.next() {
        table(&mut filter, keyword("selector", word, &["table", "vrf"])?, words)?;
    }
    Ok(Question::ExplainRoute(filter))
}

/// `table TABLE` or `vrf NAME`: one of them.
fn table(filter: &mut RouteFilter, name: &str, words: &mut Words) -> Result<(), Usage> {
    if name == "vrf" {
        filter.vrf = Some(words.argument("vrf", "the name of a VRF")?);
    } else {
        let word = words.argument("table", "a number, or main, local, default")?;
        filter.table = Some(match word.as_str() {
            "default" => 253,
            "main" => 254,
            "local" => 255,
            number => number.parse().map_err(|_| {
                Usage(format!("Table '{word}' is no number, and none of main, local, default"))
            })?,
        });
    }
    if filter.vrf.is_some() && filter.table.is_some() {
        return Err(Usage("Say `table` or `vrf`, not both".into()));
    }
    Ok(())
}

/// A prefix as `ip route` takes it; None: the word is something else.
fn prefix(word: &str) -> Option<Result<IpNet, Usage>> {
    if word == "default" {
        return Some(Ok(IpNet::default()));
    }
    if let Ok(address) = word.parse::<IpAddr>() {
        return Some(Ok(address.into()));
    }
    if !word.contains('/') {
        return None;
    }
    let Ok(prefix) = word.parse::<IpNet>() else { return Some(Err(no_prefix(word))) };
    let whole = prefix.trunc();
    Some(if prefix == whole {
        Ok(prefix)
    } else {
        Err(Usage(format!("Prefix '{word}' has bits of a host; {whole} has not")))
    })
}

fn no_prefix(word: &str) -> Usage {
    Usage(format!("Prefix '{word}' is neither ADDRESS/LENGTH nor an address"))
}
