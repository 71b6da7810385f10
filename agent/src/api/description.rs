//! What does a varlink interface promise? Reads descriptions (varlink.org, "Interface Definition"), as far as ours go: for tests.
//!
//! ```text
//!   type Port (ifname: string, mac: ?string)              types["Port"]    { ifname: Text, mac: Maybe(Text) }
//!   method ListPort(dev: ?string) -> (ports: []Port)      methods[...]     ({ dev }, { ports })
//!   error NoChip()                                        errors[...]      {}
//! ```

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Members of a type, of a call, of an answer.
pub(crate) type Members = BTreeMap<String, Type>;

/// The type of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    /// `bool`, `int`, `float`, `string` or `object`
    Plain(String),
    /// A type with a name
    Named(String),
    /// `?`
    Maybe(Box<Type>),
    /// `[]`
    List(Box<Type>),
    /// `[string]`
    Map(Box<Type>),
}

/// An interface.
#[derive(Debug, Clone, Default)]
pub(crate) struct Interface {
    pub(crate) types: BTreeMap<String, Members>,
    pub(crate) methods: BTreeMap<String, (Members, Members)>,
    pub(crate) errors: BTreeMap<String, Members>,
}

/// Words and signs that are left to read.
struct Reader<'a>(Vec<&'a str>);

impl<'a> Reader<'a> {
    fn of(text: &'a str) -> Self {
        let mut tokens = Vec::new();
        for line in text.lines() {
            let mut rest = line.split('#').next().unwrap_or_default();
            while let Some(at) = rest.find(|c: char| !c.is_whitespace()) {
                rest = &rest[at..];
                let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(1);
                tokens.push(&rest[..length]);
                rest = &rest[length..];
            }
        }
        tokens.reverse();
        Self(tokens)
    }

    fn next(&mut self) -> &'a str {
        self.0.pop().expect("the description ended early")
    }

    fn takes(&mut self, sign: &str) -> bool {
        let is_it = self.0.last() == Some(&sign);
        if is_it {
            self.0.pop();
        }
        is_it
    }

    fn expect(&mut self, sign: &str) {
        let next = self.next();
        assert_eq!(next, sign, "in the description, before {:?}", self.0.iter().rev().take(5));
    }

    fn members(&mut self) -> Members {
        let mut members = Members::new();
        self.expect("(");
        while !self.takes(")") {
            let name = self.next().to_owned();
            self.expect(":");
            let kind = self.kind();
            assert_eq!(members.insert(name.clone(), kind), None, "{name} is there twice");
            self.takes(",");
        }
        members
    }

    fn kind(&mut self) -> Type {
        if self.takes("?") {
            return Type::Maybe(Box::new(self.kind()));
        }
        if self.takes("[") {
            let is_map = self.takes("string");
            self.expect("]");
            let of = Box::new(self.kind());
            return if is_map { Type::Map(of) } else { Type::List(of) };
        }
        match self.next() {
            name @ ("bool" | "int" | "float" | "string" | "object") => Type::Plain(name.to_owned()),
            name => Type::Named(name.to_owned()),
        }
    }
}

impl Interface {
    /// Reads a description.
    ///
    /// # Panics
    /// It is none.
    pub(crate) fn of(text: &str) -> Self {
        let mut reader = Reader::of(text);
        let mut all = Self::default();
        reader.expect("interface");
        reader.next();
        while !reader.0.is_empty() {
            let (what, name) = (reader.next(), reader.next().to_owned());
            let members = reader.members();
            let known = match what {
                "type" => all.types.insert(name.clone(), members).is_some(),
                "error" => all.errors.insert(name.clone(), members).is_some(),
                "method" => {
                    reader.expect("-");
                    reader.expect(">");
                    let answer = reader.members();
                    all.methods.insert(name.clone(), (members, answer)).is_some()
                }
                other => panic!("{other} {name} is nothing that an interface has"),
            };
            assert!(!known, "{name} is there twice");
        }
        all
    }

    /// The types that calls are made of.
    fn asked(&self) -> BTreeSet<&str> {
        let mut asked = BTreeSet::new();
        let mut todo: Vec<&Type> =
            self.methods.values().flat_map(|(call, _)| call.values()).collect();
        while let Some(kind) = todo.pop() {
            match kind {
                Type::Plain(_) => {}
                Type::Maybe(of) | Type::List(of) | Type::Map(of) => todo.push(of),
                Type::Named(name) => {
                    if asked.insert(name.as_str()) {
                        todo.extend(self.types[name].values());
                    }
                }
            }
        }
        asked
    }

    /// What a program that was written by `released` can't do with this interface any more.
    pub(crate) fn breaks(&self, released: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let asked = self.asked();
        for (name, members) in &released.types {
            match self.types.get(name) {
                Some(now) => compare(&mut found, name, members, now, asked.contains(name.as_str())),
                None => found.push(format!("type {name} is gone")),
            }
        }
        for (name, (call, answer)) in &released.methods {
            match self.methods.get(name) {
                Some((now, then)) => {
                    compare(&mut found, &format!("{name}()"), call, now, true);
                    compare(&mut found, &format!("{name}() -> "), answer, then, false);
                }
                None => found.push(format!("method {name} is gone")),
            }
        }
        for (name, members) in &released.errors {
            match self.errors.get(name) {
                Some(now) => compare(&mut found, name, members, now, false),
                None => found.push(format!("error {name} is gone")),
            }
        }
        found
    }

    /// What of a value is not as a type says.
    pub(crate) fn misfits(&self, value: &Value, kind: &Type, at: &str) -> Vec<String> {
        let wrong = || vec![format!("{at} is {value}, described as {kind:?}")];
        match (kind, value) {
            (Type::Maybe(of), _) => self.misfits(value, of, at),
            (Type::List(of), Value::Array(items)) => {
                items.iter().flat_map(|item| self.misfits(item, of, &format!("{at}[]"))).collect()
            }
            (Type::Map(of), Value::Object(members)) => {
                members.values().flat_map(|item| self.misfits(item, of, at)).collect()
            }
            (Type::Named(name), Value::Object(members)) => {
                let described = &self.types[name];
                let mut found = Vec::new();
                for (member, kind) in described {
                    match members.get(member) {
                        Some(value) => {
                            found.extend(self.misfits(value, kind, &format!("{at}.{member}")));
                        }
                        None if matches!(kind, Type::Maybe(_)) => {}
                        None => found.push(format!("{at}.{member} is not there")),
                    }
                }
                let unknown = members.keys().filter(|member| !described.contains_key(*member));
                found.extend(unknown.map(|member| format!("{at}.{member} is not described")));
                found
            }
            (Type::Plain(name), value) => {
                let fits = match name.as_str() {
                    "bool" => value.is_boolean(),
                    "int" => value.is_i64() || value.is_u64(),
                    "float" => value.is_number(),
                    "string" => value.is_string(),
                    _ => value.is_object(),
                };
                if fits { Vec::new() } else { wrong() }
            }
            _ => wrong(),
        }
    }

    /// The paths of everything that a value of a type may have.
    pub(crate) fn leaves(&self, kind: &Type, at: &str, found: &mut BTreeSet<String>) {
        match kind {
            Type::Plain(_) => {
                found.insert(at.to_owned());
            }
            Type::Maybe(of) | Type::List(of) | Type::Map(of) => self.leaves(of, at, found),
            Type::Named(name) => {
                for (member, kind) in &self.types[name] {
                    self.leaves(kind, &format!("{at}.{member}"), found);
                }
            }
        }
    }
}

/// In calls a member may become optional, and new ones have to be; in answers nothing may.
fn compare(found: &mut Vec<String>, of: &str, released: &Members, now: &Members, asked: bool) {
    for (member, kind) in released {
        match now.get(member) {
            None => found.push(format!("{of}.{member} is gone")),
            Some(now) if now == kind => {}
            Some(Type::Maybe(now)) if asked && **now == *kind => {}
            Some(now) => found.push(format!("{of}.{member} was {kind:?} and is {now:?}")),
        }
    }
    for (member, kind) in now.iter().filter(|(member, _)| asked && !released.contains_key(*member))
    {
        if !matches!(kind, Type::Maybe(_)) {
            found.push(format!("{of}.{member} is new, and has to be given"));
        }
    }
}
