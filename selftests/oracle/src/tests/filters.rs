//! The accept set.

use super::shapes::{switch, vlan};
use super::*;

const OLD: Mac = [2, 0, 0, 0, 9, 1];

// Broken if a MAC in a port's filters were its router's without a reason, or were not with one.
#[test]
fn accept_sets() {
    let with = |change: &dyn Fn(&mut Kernel)| {
        let mut kernel = switch();
        kernel.addresses.insert(1, vec![address("192.0.2.1")]);
        kernel.filters.entry(1).or_default().listed.insert(OLD);
        change(&mut kernel);
        router_interfaces(&kernel)[&1].answers.contains_key(&OLD)
    };
    let filters = |kernel: &mut Kernel, change: &dyn Fn(&mut Filters)| {
        change(kernel.filters.get_mut(&1).unwrap());
    };
    let former = |kernel: &mut Kernel| filters(kernel, &|f| _ = f.former.insert(OLD));
    assert!(!with(&|_| {}));
    assert!(with(&former));
    assert!(with(&|k| filters(k, &|f| _ = f.announced.insert(OLD))));
    assert!(with(&|k| k.devices.get_mut(&1).unwrap().permanent_mac = Some(OLD)));
    assert!(!with(&|k| filters(k, &|f| {
        f.former.insert(OLD);
        f.listed.clear();
    })));
    assert!(!with(&|k| filters(k, &|f| _ = (f.former.insert(OLD), f.lent.insert(OLD)))));
    // A macvlan that is down, on a VLAN of the port.
    assert!(!with(&|k| {
        former(k);
        k.add(5, vlan(5), Some(1));
        k.add(6, Kind::Macvlan, Some(5));
        k.devices.get_mut(&6).unwrap().mac = OLD;
        k.devices.get_mut(&6).unwrap().up = false;
    }));
}
