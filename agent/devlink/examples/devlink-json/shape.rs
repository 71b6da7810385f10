//! Answers of the kernel in the shape of `devlink -jsv`: an object by device, and by what is in it. One thing is left out:
//! the tables of the pipeline that use a resource, which are the answer to another question.

use netlink_packet_devlink::device::{Dev, Eswitch, Info, Reload, ReloadStats, Version};
use netlink_packet_devlink::health::Health;
use netlink_packet_devlink::port::Port;
use netlink_packet_devlink::resource::{Resource, ResourceList, Resources};
use netlink_packet_devlink::trap::{Trap, TrapGroup, TrapPolicer, TrapStats};
use netlink_packet_devlink::{Handle, Message};
use serde_json::{Map, Value, json};

/// The document for the answers to one question. Which question it was is told by the key; what the messages do not tell
/// is nothing: an empty answer is an empty object.
pub(crate) fn document(key: &str, messages: &[Message]) -> Value {
    let mut objects = Map::new();
    for message in messages {
        match message {
            Message::DevNew(dev) => put(&mut objects, &dev.handle, device(dev)),
            Message::PortNew(it) => {
                let path = format!("{}/{}", it.handle, it.index.unwrap_or_default());
                objects.insert(path, port(it));
            }
            Message::InfoGet(it) => put(&mut objects, &it.handle, info(it)),
            Message::EswitchGet(it) => put(&mut objects, &it.handle, eswitch(it)),
            Message::TrapNew(it) => push(&mut objects, &it.handle, trap(it)),
            Message::TrapGroupNew(it) => push(&mut objects, &it.handle, group(it)),
            Message::TrapPolicerNew(it) => push(&mut objects, &it.handle, policer(it)),
            Message::HealthReporterGet(it) => push(&mut objects, &it.handle, health(it)),
            Message::ResourceDump(it) => put(&mut objects, &it.handle, resources(it)),
            Message::Reload(it) => return json!({ key: reload(it) }),
            _ => {}
        }
    }
    json!({ key: objects })
}

fn put(objects: &mut Map<String, Value>, handle: &Handle, object: Value) {
    objects.insert(handle.to_string(), object);
}

fn push(objects: &mut Map<String, Value>, handle: &Handle, object: Value) {
    let list = objects.entry(handle.to_string()).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.push(object);
    }
}

/// An object of the fields that are there.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn word(value: Option<impl ToString>) -> Option<Value> {
    value.map(|value| value.to_string().into())
}

fn device(dev: &Dev) -> Value {
    let stats = dev.stats.as_ref().map(|stats| {
        object([
            ("reload", stats.reload.as_ref().map(reload_stats)),
            ("remote_reload", stats.remote_reload.as_ref().map(reload_stats)),
        ])
    });
    object([
        ("reload_failed", dev.reload_failed.filter(|failed| *failed).map(Value::from)),
        ("stats", stats),
    ])
}

fn reload_stats(stats: &ReloadStats) -> Value {
    let mut actions = Map::new();
    for info in &stats.actions {
        let entries = info.stats.iter().flat_map(|stats| &stats.entries);
        let limits: Map<String, Value> = entries
            .filter_map(|entry| Some((entry.limit?.to_string(), entry.value?.into())))
            .collect();
        if let Some(action) = info.action {
            actions.insert(action.to_string(), limits.into());
        }
    }
    actions.into()
}

fn port(port: &Port) -> Value {
    object([
        ("type", word(port.port_type)),
        ("netdev", word(port.netdev_name.as_ref())),
        ("ibdev", word(port.ibdev_name.as_ref())),
        ("flavour", word(port.flavour)),
        ("controller", port.controller.map(Value::from)),
        ("pfnum", port.pf.map(Value::from)),
        ("vfnum", port.vf.map(Value::from)),
        ("sfnum", port.sf.map(Value::from)),
        ("external", port.external.map(Value::from)),
        ("port", port.number.map(Value::from)),
        ("lanes", port.lanes.map(Value::from)),
        ("splittable", port.splittable.map(Value::from)),
    ])
}

fn info(info: &Info) -> Value {
    let versions = object([
        ("fixed", versions(&info.fixed)),
        ("running", versions(&info.running)),
        ("stored", versions(&info.stored)),
    ]);
    object([
        ("driver", word(info.driver.as_ref())),
        ("serial_number", word(info.serial_number.as_ref())),
        ("board.serial_number", word(info.board_serial_number.as_ref())),
        ("versions", Some(versions).filter(|versions| *versions != json!({}))),
    ])
}

fn versions(list: &[Version]) -> Option<Value> {
    let versions: Map<String, Value> = list
        .iter()
        .filter_map(|version| Some((version.name.clone()?, version.value.clone()?.into())))
        .collect();
    (!versions.is_empty()).then(|| versions.into())
}

fn eswitch(eswitch: &Eswitch) -> Value {
    object([
        ("mode", word(eswitch.mode)),
        ("inline-mode", word(eswitch.inline_mode)),
        ("encap-mode", word(eswitch.encap_mode)),
    ])
}

fn trap(trap: &Trap) -> Value {
    let metadata: Option<Vec<&str>> = trap.metadata.as_ref().map(|metadata| {
        let words = [(metadata.in_port, "input_port"), (metadata.fa_cookie, "flow_action_cookie")];
        words.into_iter().filter_map(|(there, word)| there.then_some(word)).collect()
    });
    object([
        ("name", word(trap.name.as_ref())),
        ("type", word(trap.trap_type)),
        ("generic", Some(trap.generic.into())),
        ("action", word(trap.action)),
        ("group", word(trap.group.as_ref())),
        ("metadata", metadata.map(Value::from)),
        ("stats", stats(trap.stats.as_ref())),
    ])
}

fn group(group: &TrapGroup) -> Value {
    object([
        ("name", word(group.name.as_ref())),
        ("generic", Some(group.generic.into())),
        ("policer", group.policer.map(Value::from)),
        ("stats", stats(group.stats.as_ref())),
    ])
}

fn policer(policer: &TrapPolicer) -> Value {
    object([
        ("policer", policer.id.map(Value::from)),
        ("rate", policer.rate.map(Value::from)),
        ("burst", policer.burst.map(Value::from)),
        ("stats", stats(policer.stats.as_ref())),
    ])
}

fn stats(stats: Option<&TrapStats>) -> Option<Value> {
    stats.map(|stats| {
        json!({ "rx": object([
            ("bytes", stats.rx_bytes.map(Value::from)),
            ("packets", stats.rx_packets.map(Value::from)),
            ("dropped", stats.rx_dropped.map(Value::from)),
        ]) })
    })
}

fn health(health: &Health) -> Value {
    let Some(reporter) = &health.reporter else { return json!({}) };
    object([
        ("reporter", word(reporter.name.as_ref())),
        ("state", word(reporter.state)),
        ("error", reporter.errors.map(Value::from)),
        ("recover", reporter.recoveries.map(Value::from)),
        ("grace_period", reporter.graceful_period.map(Value::from)),
        ("auto_recover", reporter.auto_recover.map(Value::from)),
        ("auto_dump", reporter.auto_dump.map(Value::from)),
    ])
}

/// Whether the parts fit is shown, as `devlink` does, only while some size waits for a reload.
fn resources(resources: &Resources) -> Value {
    let list = resources.list.as_ref();
    let pending = list.is_some_and(is_pending);
    resource_list(list, "", pending)
}

fn is_pending(list: &ResourceList) -> bool {
    list.resources.iter().any(|resource| {
        resource.size_new.is_some_and(|size| Some(size) != resource.size)
            || resource.children.as_ref().is_some_and(is_pending)
    })
}

fn resource_list(list: Option<&ResourceList>, path: &str, pending: bool) -> Value {
    list.iter().flat_map(|list| &list.resources).map(|it| resource(it, path, pending)).collect()
}

fn resource(resource: &Resource, parent: &str, pending: bool) -> Value {
    let path = format!("{parent}/{}", resource.name.as_deref().unwrap_or_default());
    let size = |size: Option<u64>| {
        size.map(|size| if size == u64::MAX { json!("unlimited") } else { size.into() })
    };
    let children = resource.children.as_ref().filter(|list| !list.resources.is_empty());
    let valid = resource.size_valid.filter(|_| pending && children.is_some());
    object([
        ("name", word(resource.name.as_ref())),
        ("resource_path", Some(path.as_str().into())),
        ("size", size(resource.size)),
        ("size_new", size(resource.size_new.filter(|new| Some(*new) != resource.size))),
        ("occ", size(resource.occupancy)),
        ("unit", word(resource.unit)),
        ("size_min", size(resource.size_min)),
        ("size_max", size(resource.size_max)),
        ("size_gran", size(resource.granularity)),
        ("size_valid", word(valid)),
        ("resources", children.map(|list| resource_list(Some(list), &path, pending))),
    ])
}

fn reload(reload: &Reload) -> Value {
    use netlink_packet_devlink::device::ReloadAction;
    let performed = reload.actions_performed.unwrap_or_default();
    let actions: Vec<String> = ReloadAction::NAMED
        .iter()
        .filter(|action| performed.value & (1 << u8::from(**action)) != 0)
        .map(ToString::to_string)
        .collect();
    json!({ "reload_actions_performed": actions })
}
