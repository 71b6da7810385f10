//! What real kernels sent, against what the `devlink` program said of it at the same moment: see record.py.

use netlink_packet_core::{NLM_F_MULTIPART, NetlinkMessage, NetlinkPayload};
use netlink_packet_devlink::Message;
use netlink_packet_generic::GenlMessage;
use serde_json::Value;

#[path = "../examples/devlink-json/shape.rs"]
mod shape;

const RECORDED: [(&str, &str); 2] = [
    ("Linux 6.12", include_str!("recorded-6.12.txt")),
    ("Linux 7.3", include_str!("recorded-7.3.txt")),
];

/// The lines of that name and kind.
fn lines<'a>(recorded: &'a str, name: &str, kind: &str) -> impl Iterator<Item = &'a str> {
    let start = format!("{name} {kind} ");
    recorded.lines().filter_map(move |line| line.strip_prefix(&start))
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|place| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).expect("hex"))
        .collect()
}

/// The messages of that name: devlink's, and how many were none (DONE and acknowledgements).
fn messages(recorded: &str, name: &str) -> (Vec<Message>, usize) {
    let (mut messages, mut others) = (Vec::new(), 0);
    for line in lines(recorded, name, "message") {
        let packet =
            NetlinkMessage::<GenlMessage<Message>>::deserialize(&octets(line)).expect("a message");
        match packet.payload {
            NetlinkPayload::InnerMessage(message) => messages.push(message.into_parts().1),
            _ => others += 1,
        }
    }
    (messages, others)
}

/// netdevsim's counters of dropped packets, which grow by one with each object that is read, as they were one read
/// earlier; and no tables of the pipeline, which are the answer to another question.
fn before(value: Value, reads: u64) -> Value {
    match value {
        Value::Object(object) => object
            .into_iter()
            .filter(|(name, _)| name != "dpipe_tables")
            .map(|(name, value)| match value.as_u64() {
                Some(count) if name == "dropped" => (name, (count - reads).into()),
                _ => (name, before(value, reads)),
            })
            .collect(),
        Value::Array(list) => list.into_iter().map(|value| before(value, reads)).collect(),
        other => other,
    }
}

// Broken if any field of any object were read otherwise than iproute2 reads it: from 6.12, whose handles are two names,
// or from 7.3, with their index; with the kernel's PADs, with and without NLA_F_NESTED.
#[test]
fn recorded_answers_say_what_devlink_said() {
    for (kernel, recorded) in RECORDED {
        for (name, key, count, reads) in [
            ("dev", "dev", 1, 0),
            ("port", "port", 3, 0),
            ("info", "info", 1, 0),
            ("eswitch", "dev", 1, 0),
            ("trap", "trap", 14, 14),
            ("trap_group", "trap_group", 6, 0),
            ("trap_policer", "trap_policer", 3, 1),
            ("health", "health", 2, 0),
            ("resources", "resources", 1, 0),
        ] {
            let theirs = lines(recorded, name, "devlink").next().unwrap();
            let theirs = before(serde_json::from_str(theirs).unwrap(), reads);
            let (messages, _) = messages(recorded, name);
            assert_eq!(messages.len(), count, "{kernel}: {name}");
            assert_eq!(shape::document(key, &messages), theirs, "{kernel}: {name}");
        }
        let reload = shape::document("reload", &messages(recorded, "reload").0);
        assert_eq!(reload["reload"]["reload_actions_performed"][0], "driver_reinit", "{kernel}");
    }
}

// Broken if something in a recorded message were not known, and so silently not in the comparison above.
#[test]
fn recorded_answers_have_nothing_unknown() {
    for (kernel, recorded) in RECORDED {
        for name in [
            "dev",
            "port",
            "info",
            "eswitch",
            "trap",
            "trap_group",
            "trap_policer",
            "health",
            "resources",
            "reload",
        ] {
            for message in messages(recorded, name).0 {
                let text = format!("{message:?}");
                assert!(
                    !text.contains("OtherAttribute") && !text.contains("Other("),
                    "{kernel}: {text}"
                );
                let index = message.handle().unwrap().index;
                assert_eq!(index.is_some(), kernel == "Linux 7.3", "{text}");
            }
        }
    }
}

// Broken if a notification of a reload were not understood: what goes and what comes is the same.
#[test]
fn recorded_notifications_of_a_reload_are_whole() {
    for (kernel, recorded) in RECORDED {
        let (messages, others) = messages(recorded, "notification");
        assert_eq!(others, 0, "{kernel}");
        let count = |is: fn(&Message) -> bool| messages.iter().filter(|it| is(it)).count();
        let traps = (
            count(|it| matches!(it, Message::TrapDel(trap) if trap.name.is_some())),
            count(|it| matches!(it, Message::TrapNew(trap) if trap.trap_type.is_some())),
        );
        let groups = (
            count(|it| matches!(it, Message::TrapGroupDel(group) if group.name.is_some())),
            count(|it| matches!(it, Message::TrapGroupNew(group) if group.name.is_some())),
        );
        let policers = (
            count(|it| matches!(it, Message::TrapPolicerDel(policer) if policer.id.is_some())),
            count(|it| matches!(it, Message::TrapPolicerNew(policer) if policer.rate.is_some())),
        );
        assert_eq!((traps, groups, policers), ((14, 14), (6, 6), (3, 3)), "{kernel}");
        assert!(count(|it| matches!(it, Message::PortDel(port) if port.index.is_some())) >= 2);
        assert!(count(|it| matches!(it, Message::PortNew(port) if port.index.is_some())) >= 2);
        // Parameters, regions and rates have no types here.
        let untyped = |it: &Message| matches!(it, Message::Other { command, .. } if !matches!(command, 40 | 41 | 44 | 45 | 76 | 77));
        assert_eq!(messages.iter().filter(|it| untyped(it)).count(), 0, "{kernel}");
    }
}

// Broken if the DONE without payload that ends a RESOURCE_DUMP were an error, or the acknowledgement after it.
#[test]
fn a_recorded_done_without_payload_is_one() {
    for (kernel, recorded) in RECORDED {
        let ends: Vec<Vec<u8>> =
            lines(recorded, "resources", "message").skip(1).map(octets).collect();
        let lengths: Vec<usize> = ends.iter().map(Vec::len).collect();
        assert_eq!(lengths, [16, 36], "{kernel}: a header; a header, an error number and a header");
        let [done, acknowledgement] = [0, 1].map(|place| {
            NetlinkMessage::<GenlMessage<Message>>::deserialize(&ends[place]).unwrap()
        });
        assert!(matches!(&done.payload, NetlinkPayload::Done(done) if done.code == 0), "{kernel}");
        assert_ne!(done.header.flags & NLM_F_MULTIPART, 0, "{kernel}");
        assert!(
            matches!(&acknowledgement.payload, NetlinkPayload::Error(error) if error.code.is_none())
        );
    }
}
