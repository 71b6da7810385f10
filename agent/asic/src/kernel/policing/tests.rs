use super::*;
use crate::kernel::{Group, Trap};

const WANTED: Size = Size { rate: 1024, burst: 512 };

/// As mlxsw has it, with fewer groups: vrrp alone at policer 11, 22 free.
fn device() -> Device {
    let trap = |group: &str| Trap { group: group.to_owned(), ..Trap::default() };
    let group = |policer| Group { policer, ..Group::default() };
    let policer = |rate, burst| Policer { rate, burst, dropped: Some(0) };
    Device {
        handle: "pci/0000:03:00.0".to_owned(),
        traps: [("ipv4_vrrp", "vrrp"), ("ipv6_vrrp", "vrrp"), ("ipv4_bfd", "bfd"), ("stp", "stp")]
            .map(|(name, of)| (name.to_owned(), trap(of)))
            .into(),
        groups: [("vrrp", Some(11)), ("bfd", Some(8)), ("stp", Some(2)), ("sample", None)]
            .map(|(name, id)| (name.to_owned(), group(id)))
            .into(),
        policers: [(2, policer(128, 128)), (8, policer(20480, 8192)), (11, policer(256, 128))]
            .into_iter()
            .chain([(22, policer(1, 16)), (23, policer(1, 16))])
            .collect(),
        ..Device::default()
    }
}

/// The same without policer 11.
fn bound(policer: Option<u32>) -> Device {
    let mut device = device();
    device.policers.remove(&11);
    device.groups.get_mut("vrrp").unwrap().policer = policer;
    device
}

fn size(policer: u32, rate: Option<u64>, burst: Option<u64>) -> Step {
    Step::Size { policer, rate, burst }
}

fn bind(policer: Option<u32>) -> Step {
    Step::Bind { group: "vrrp".to_owned(), policer }
}

/// The device after these steps, and what was remembered of them.
fn done(device: &Device, memory: &Memory, plan: &Plan) -> (Device, Memory) {
    let (mut device, mut memory) = (device.clone(), memory.clone());
    memory.note(&device, &plan.steps);
    for step in &plan.steps {
        match step {
            Step::Size { policer, rate, burst } => {
                let at = device.policers.get_mut(policer).unwrap();
                at.rate = rate.unwrap_or(at.rate);
                at.burst = burst.unwrap_or(at.burst);
            }
            Step::Bind { group, policer } => {
                device.groups.get_mut(group).unwrap().policer = *policer;
            }
        }
    }
    let Standing::Own { policer, .. } = plan.standing else { panic!("{plan:?}") };
    let Policer { rate, burst, .. } = device.policers[&policer];
    memory.ours = Some(Ours { policer, rate, burst, wanted: WANTED });
    (device, memory)
}

fn planned(device: &Device, memory: &Memory) -> Vec<Step> {
    plan(device, WANTED, memory).steps
}

// Broken if the group's own policer were not taken, were made smaller, or were written again and again.
#[test]
fn its_own_policer_grows() {
    let (before, memory) = (device(), Memory::default());
    let first = plan(&before, WANTED, &memory);
    assert_eq!(first.steps, [size(11, Some(1024), Some(512))]);
    let (after, memory) = done(&before, &memory, &first);
    assert_eq!(plan(&after, WANTED, &memory).steps, []);
    assert_eq!(plan(&after, Size { rate: 128, burst: 128 }, &memory).steps.len(), 1);
    let less = Size { rate: 128, burst: 128 };
    assert_eq!(plan(&before, less, &Memory::default()).steps, [], "the driver's size stays");
    assert_eq!(
        plan(&after, less, &memory).steps,
        [size(11, Some(256), Some(128))],
        "back to the driver's size, not below"
    );
}

// Broken if another group's packets were limited anew, or a policer were bound before it had its size.
#[test]
fn a_shared_policer_is_left_to_the_others() {
    let shared = bound(Some(8));
    let plan = plan(&shared, WANTED, &Memory::default());
    assert_eq!(plan.steps, [size(22, Some(1024), Some(512)), bind(Some(22))]);
    let mut full = bound(Some(8));
    for (name, id) in [("sample", 22), ("stp", 23)] {
        full.groups.get_mut(name).unwrap().policer = Some(id);
    }
    full.policers.retain(|id, _| [8, 22, 23].contains(id));
    let standing = Standing::Shared { group: "vrrp".to_owned(), policer: 8 };
    assert_eq!(super::plan(&full, WANTED, &Memory::default()).standing, standing);
    assert_eq!(planned(&full, &Memory::default()), []);
    full.groups.get_mut("vrrp").unwrap().policer = None;
    let standing = Standing::Unlimited { group: "vrrp".to_owned() };
    assert_eq!(super::plan(&full, WANTED, &Memory::default()).standing, standing);
}

// Broken if a driver that puts other traps into the group had these limited as well, or a policer of unknown size were set.
#[test]
fn what_is_not_vrrps_alone_is_not_touched() {
    let mut mixed = device();
    mixed.traps.get_mut("ipv4_bfd").unwrap().group = "vrrp".to_owned();
    let standing = |device: &Device| plan(device, WANTED, &Memory::default()).standing;
    assert_eq!(standing(&mixed), Standing::Mixed { group: "vrrp".to_owned() });
    let mut apart = device();
    apart.traps.get_mut("ipv6_vrrp").unwrap().group = "bfd".to_owned();
    assert_eq!(standing(&apart), Standing::Mixed { group: "vrrp".to_owned() });
    let mut unread = device();
    unread.policers.remove(&11);
    assert_eq!(standing(&unread), Standing::Unread { group: "vrrp".to_owned(), policer: 11 });
    let mut none = device();
    none.traps.retain(|name, _| !name.contains("vrrp"));
    assert_eq!(standing(&none), Standing::NoTrap);
}

// Broken if a change by somebody else went unseen, or were not mended with what was set here.
#[test]
fn drift_is_told_and_mended() {
    let (before, memory) = (bound(Some(8)), Memory::default());
    let (after, memory) = done(&before, &memory, &plan(&before, WANTED, &memory));
    assert_eq!(plan(&after, WANTED, &memory).drift, None);
    let mut resized = after.clone();
    resized.policers.get_mut(&22).unwrap().burst = 16;
    let found = plan(&resized, WANTED, &memory);
    let words = "policer 22 has rate 1024 burst 16 and not rate 1024 burst 512";
    assert_eq!(found.drift.as_deref(), Some(words));
    assert_eq!(found.steps, [size(22, None, Some(512))]);
    let mut rebound = after;
    rebound.groups.get_mut("vrrp").unwrap().policer = Some(23);
    let found = plan(&rebound, WANTED, &memory);
    assert_eq!(found.drift.as_deref(), Some("the group has policer 23 and not policer 22"));
    assert_eq!(found.steps, [bind(Some(22))]);
}

// Broken if the device were asked again and again for more than it takes.
#[test]
fn what_the_device_took_is_enough_until_more_is_wanted() {
    let (before, memory) = (device(), Memory::default());
    let (mut after, mut memory) = done(&before, &memory, &plan(&before, WANTED, &memory));
    after.policers.get_mut(&11).unwrap().rate = 800;
    memory.ours.as_mut().unwrap().rate = 800;
    assert_eq!(planned(&after, &memory), []);
    let more = Size { rate: 2048, burst: 512 };
    assert_eq!(plan(&after, more, &memory).steps, [size(11, Some(2048), None)]);
}

// Broken if something stayed behind, or what somebody set since were undone.
#[test]
fn everything_is_given_back() {
    for before in [device(), bound(Some(8)), bound(None)] {
        let memory = Memory::default();
        assert!(memory.is_empty() && memory.undo(&before).is_empty());
        let (mut after, memory) = done(&before, &memory, &plan(&before, WANTED, &memory));
        assert!(!memory.is_empty());
        let undo = Plan { steps: memory.undo(&after), ..plan(&before, WANTED, &memory) };
        let (back, _) = done(&after, &memory, &undo);
        assert_eq!(back, before);
        after.policers.get_mut(&memory.ours.unwrap().policer).unwrap().rate = 7;
        assert!(memory.undo(&after).iter().all(|step| matches!(step, Step::Bind { .. })));
        after.reloads += 1;
        assert_eq!(memory.undo(&after), [], "a reload has done it");
        assert!(memory.renewed(1).is_empty());
        assert_eq!(memory.renewed(0), memory);
    }
}

// Broken if an administrator could not type what is told.
#[test]
fn steps_as_commands() {
    let commands: Vec<String> = [size(4, Some(1024), None), bind(Some(4)), bind(None)]
        .iter()
        .map(|step| step.command("netdevsim/netdevsim10"))
        .collect();
    assert_eq!(
        commands,
        [
            "devlink trap policer set netdevsim/netdevsim10 policer 4 rate 1024",
            "devlink trap group set netdevsim/netdevsim10 group vrrp policer 4",
            "devlink trap group set netdevsim/netdevsim10 group vrrp nopolicer",
        ]
    );
}
