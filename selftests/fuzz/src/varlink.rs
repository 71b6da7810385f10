//! What a client asks of the daemon, and what a client makes of the answers.
//!
//! Input: a stream of messages, each ended by a zero octet. Every message is taken as a call and as a reply.

use std::path::Path;

use firsthop::api::codec::{Decoder, encode};
use firsthop::api::interface::{dispatch, parse};
use firsthop::api::{Call, Filter, Reply, TrapFilter};
use firsthop::client::{Options, Question, TrapTable, refusal, show};
use serde_json::{Map, Value};

/// The longest message that is taken, bytes.
const LIMIT: usize = 1 << 16;

/// The target.
pub fn run(data: &[u8]) {
    let mut decoder = Decoder::new(LIMIT);
    let mut messages = Vec::new();
    let (first, second) = data.split_at(data.len() / 2);
    for part in [first, second] {
        decoder.push(part);
        while let Ok(Some(message)) = decoder.next_message() {
            messages.push(message);
        }
    }
    for message in messages {
        asked(&message);
        if let Ok(reply) = serde_json::from_slice::<Reply>(&message) {
            let again = decoded(&encode(&reply));
            let heard: Reply = serde_json::from_slice(&again).expect("it was encoded");
            assert!(heard == reply || has_fraction(&reply.parameters), "{heard:?} was {reply:?}");
            shown(&reply);
        }
    }
}

fn asked(message: &[u8]) {
    match parse(message) {
        Ok(call) => {
            let again = decoded(&encode(&call));
            let heard: Call = serde_json::from_slice(&again).expect("it was encoded");
            assert!(heard == call || has_fraction(&call.parameters), "{heard:?} was {call:?}");
            if let Err(failure) = dispatch(&call) {
                decoded(&encode(&failure.reply()));
            }
        }
        Err(failure) => drop(decoded(&encode(&failure.reply()))),
    }
}

/// The last digit of a number with a fraction may be another after it was read.
fn has_fraction(members: &Map<String, Value>) -> bool {
    fn inside(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(list) => list.iter().any(inside),
            Value::Object(members) => has_fraction(members),
            _ => false,
        }
    }
    members.values().any(inside)
}

/// The one message in these bytes.
fn decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new(16 << 20);
    decoder.push(bytes);
    let message = decoder.next_message().expect("it is not long").expect("it has an end");
    assert!(decoder.is_idle(), "there is more than one message");
    message
}

fn shown(reply: &Reply) {
    let questions = [
        Question::Rif(Filter::default()),
        Question::Vmac(Filter::default()),
        Question::Port(Filter::default()),
        Question::Trap(TrapTable::Traps, TrapFilter::default()),
        Question::Trap(TrapTable::Groups, TrapFilter::default()),
        Question::Trap(TrapTable::Policers, TrapFilter::default()),
        Question::Resource,
        Question::Status,
        Question::Diff(None),
        Question::Explain("swp1".to_owned()),
        Question::Doctor,
    ];
    let plain = Options { stats: true, details: true, ..Options::default() };
    let brief = Options { brief: true, ..Options::default() };
    let json = Options { json: true, pretty: true, ..Options::default() };
    for question in &questions {
        for options in [&plain, &brief] {
            show(options, question, reply, Path::new("/run/fuzz")).ok();
        }
        if let Ok((document, _)) = show(&json, question, reply, Path::new("/run/fuzz")) {
            serde_json::from_str::<serde_json::Value>(&document).expect("the document is JSON");
        }
        if let Some(error) = &reply.error {
            assert!(!refusal(error, reply, question).line.is_empty());
        }
    }
}
