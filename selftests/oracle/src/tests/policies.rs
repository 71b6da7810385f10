//! The admission policies.

use super::*;

// Broken if a policy asked for more or less than its line in the table, or a special one did not come before the general one.
#[test]
fn each_policy() {
    let reason_under = |policy: Policy, change: &dyn Fn(&mut Kernel)| {
        let kernel = with(|kernel| {
            kernel.admission.default = policy;
            change(kernel);
        });
        reason(&kernel)
    };
    let down = |kernel: &mut Kernel| {
        let vmac = kernel.devices.get_mut(&VMAC).unwrap();
        (vmac.up, vmac.oper) = (false, Oper::Down);
    };
    let held = |kernel: &mut Kernel| kernel.devices.get_mut(&VMAC).unwrap().proto_down = true;
    let bare = |kernel: &mut Kernel| drop(kernel.addresses.remove(&VMAC));
    let no_rif = |kernel: &mut Kernel| drop(kernel.addresses.remove(&PORT));
    type Row<'a> = (&'a str, Policy, &'a dyn Fn(&mut Kernel));
    let table: [Row; 12] = [
        ("macvlan_down", Policy::Active, &down),
        ("-", Policy::Address, &down),
        ("macvlan_down", Policy::Oper, &down),
        ("-", Policy::Always, &down),
        ("protodown", Policy::Active, &held),
        ("-", Policy::Address, &held),
        ("protodown", Policy::Oper, &held),
        ("no_address", Policy::Active, &bare),
        ("no_address", Policy::Address, &bare),
        ("-", Policy::Oper, &bare),
        ("-", Policy::Always, &bare),
        ("no_rif", Policy::Always, &no_rif),
    ];
    for (expected, policy, change) in table {
        assert_eq!(reason_under(policy, change), expected, "{policy:?}");
    }
    assert_eq!(
        reason_under(Policy::Active, &|kernel| {
            down(kernel);
            let (lower, mac, policy) = (Some("swp1".into()), None, Policy::Always);
            kernel.admission.rules = vec![Rule { lower, mac, policy }];
        }),
        "-"
    );
    assert_eq!(
        reason_under(Policy::Active, &|kernel| {
            bare(kernel);
            let rule = |lower: Option<&str>, mac: Option<&[u8]>, policy| Rule {
                lower: lower.map(str::to_owned),
                mac: mac.map(<[u8]>::to_vec),
                policy,
            };
            kernel.admission.rules = vec![
                rule(Some("swp2"), None, Policy::Always),
                rule(Some("swp1"), Some(&[0, 0, 0x5e, 1]), Policy::Always),
                rule(None, Some(&[0, 0, 0x5e]), Policy::Address),
                rule(Some("swp1"), None, Policy::Always),
            ];
        }),
        "no_address"
    );
}
