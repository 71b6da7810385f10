use firsthop_model::Mac;
use firsthop_model::topology::VlanRange;
use tokio::task::LocalSet;

use super::*;

const ROW: Row = Row { bridge: IfIndex(7), vlan: Some(10), mac: Mac([0, 0, 0x5e, 0, 1, 5]) };

fn on_a_runtime(test: impl AsyncFnOnce(BridgeFdb)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(async { test(BridgeFdb::open()).await }));
}

// Broken if an entry made here for a macvlan were taken for an operator's wish that the bridge itself receives the MAC: when the
// macvlan leaves, the bridge's own router interface would answer for it.
#[test]
fn own_entries_are_nobodys_wish() {
    on_a_runtime(async |mut fdb: BridgeFdb| {
        fdb.locals.recall([ROW]);
        assert!(!fdb.notice(&Event::Receives(ROW.bridge, ROW.mac)));
        assert!(fdb.notice(&Event::Receives(ROW.bridge, Mac([2, 0, 0, 0, 0, 1]))));
        assert!(fdb.notice(&Event::Receives(IfIndex(8), ROW.mac)));
        assert!(fdb.notice(&Event::ReceivesNoMore(ROW.bridge, ROW.mac)));
    });
}

// Broken if what the kernel refused for want of a VLAN were not tried again when the bridge is in it.
#[test]
fn a_new_vlan_is_a_new_chance() {
    on_a_runtime(async |mut fdb: BridgeFdb| {
        let jobs = fdb.locals.want(&[ROW].into(), |_| false);
        assert_eq!(jobs, [(ROW, Job::Look)]);
        fdb.locals.done(&Done { row: ROW, job: Job::Look, result: Err(Refusal::Invalid) });
        let range =
            VlanRange { ifindex: ROW.bridge, first: 10, last: 10, flags: Default::default() };
        fdb.notice(&Event::Vlans(range));
        assert_eq!(fdb.queue.batch(), [(ROW, Job::Look)]);
    });
}
