use super::*;

const BRIDGE: IfIndex = IfIndex(7);
const ROW: Row = Row { bridge: BRIDGE, vlan: Some(10), mac: Mac([0, 0, 0x5e, 0, 1, 5]) };

fn wanted() -> BTreeSet<Row> {
    BTreeSet::from([ROW])
}

fn want(locals: &mut Locals, wanted: &BTreeSet<Row>) -> Vec<(Row, Job)> {
    locals.want(wanted, |_| false)
}

fn done(locals: &mut Locals, job: Job, result: Result<Found, Refusal>) -> Option<(Row, Job)> {
    locals.done(&Done { row: ROW, job, result })
}

/// A row that was written here.
fn held() -> Locals {
    let mut locals = Locals::default();
    want(&mut locals, &wanted());
    done(&mut locals, Job::Look, Ok(Found::Free));
    done(&mut locals, Job::Hold, Ok(Found::Free));
    locals
}

fn is_ours(locals: &Locals) -> bool {
    locals.ours().eq([ROW])
}

// Broken if a router MAC that the bridge learnt stayed learnt, was written before it was noted as ours, or stayed after it was
// not wanted any more.
#[test]
fn a_row_comes_and_goes() {
    for found in [Found::Free, Found::External(IfIndex(3))] {
        let mut locals = Locals::default();
        assert_eq!(want(&mut locals, &wanted()), [(ROW, Job::Look)]);
        assert_eq!(want(&mut locals, &wanted()), [], "once is enough");
        assert_eq!(locals.ours().count(), 0);
        assert_eq!(done(&mut locals, Job::Look, Ok(found)), Some((ROW, Job::Hold)));
        assert!(is_ours(&locals) && locals.made(BRIDGE, ROW.mac));
        assert_eq!(done(&mut locals, Job::Hold, Ok(found)), None);
        assert_eq!(want(&mut locals, &BTreeSet::new()), [(ROW, Job::Release)]);
        assert!(is_ours(&locals), "it may still be there");
        done(&mut locals, Job::Release, Ok(Found::Local(BRIDGE)));
        assert!(!locals.has(ROW));
    }
}

// Broken if what an operator made local were taken for ours, and removed.
#[test]
fn what_was_there_is_used_and_stays() {
    for (found, hold) in [
        (Found::Local(BRIDGE), Hold::Theirs),
        (Found::Local(IfIndex(3)), Hold::Theirs),
        (Found::Static, Hold::Taken),
    ] {
        let mut locals = Locals::default();
        want(&mut locals, &wanted());
        assert_eq!(done(&mut locals, Job::Look, Ok(found)), None);
        assert_eq!(locals.holds().next(), Some((ROW, hold)), "frames go to it, or elsewhere");
        assert_eq!(locals.ours().count(), 0);
        assert_eq!(want(&mut locals, &BTreeSet::new()), []);
        assert!(!locals.has(ROW));
    }
}

// Broken if a MAC whose macvlan left while its row was being written stayed for ever.
#[test]
fn a_row_that_is_not_wanted_any_more_goes_from_every_state() {
    let mut looking = Locals::default();
    want(&mut looking, &wanted());
    assert_eq!(want(&mut looking, &BTreeSet::new()), []);
    assert_eq!(done(&mut looking, Job::Look, Ok(Found::Free)), None, "a late answer");
    assert!(!looking.has(ROW));

    let mut writing = Locals::default();
    want(&mut writing, &wanted());
    done(&mut writing, Job::Look, Ok(Found::Free));
    assert_eq!(want(&mut writing, &BTreeSet::new()), [(ROW, Job::Release)]);
    assert_eq!(done(&mut writing, Job::Hold, Ok(Found::Free)), None);
    done(&mut writing, Job::Release, Err(Refusal::Absent));
    assert!(!writing.has(ROW));
}

// Broken if a MAC that is wanted again while it is being removed were forgotten.
#[test]
fn a_row_that_comes_back_is_written_again() {
    let mut locals = held();
    want(&mut locals, &BTreeSet::new());
    assert_eq!(want(&mut locals, &wanted()), []);
    done(&mut locals, Job::Release, Ok(Found::Local(BRIDGE)));
    assert_eq!(want(&mut locals, &wanted()), [(ROW, Job::Look)]);
}

// Broken if stale rows of a daemon that was killed stayed, or right ones were removed and written again.
#[test]
fn an_earlier_daemons_rows_are_known() {
    let mut locals = Locals::default();
    locals.recall([ROW]);
    assert!(is_ours(&locals));
    assert_eq!(want(&mut locals, &BTreeSet::new()), [(ROW, Job::Release)]);

    let mut locals = Locals::default();
    locals.recall([ROW]);
    assert_eq!(want(&mut locals, &wanted()), [(ROW, Job::Hold)]);
    done(&mut locals, Job::Hold, Ok(Found::Local(BRIDGE)));
    assert!(is_ours(&locals));
}

// Broken if removing a row took the bridge's own address away.
#[test]
fn a_row_that_became_the_bridges_own_mac_stays() {
    let mut locals = held();
    assert_eq!(locals.want(&BTreeSet::new(), |row| row == ROW), []);
    assert!(is_ours(&locals), "it goes when the bridge has another MAC");
    assert_eq!(want(&mut locals, &BTreeSet::new()), [(ROW, Job::Release)]);
}

// Broken if a refusal were repeated for ever, or never tried again.
#[test]
fn refusals_wait_for_a_change_of_the_bridge() {
    let refused = || Err(Refusal::Refused("no such VLAN".into()));
    let mut locals = Locals::default();
    want(&mut locals, &wanted());
    done(&mut locals, Job::Look, Ok(Found::Free));
    done(&mut locals, Job::Hold, refused());
    assert_eq!(locals.ours().count(), 0);
    assert_eq!(want(&mut locals, &wanted()), []);
    assert_eq!(locals.changed(IfIndex(8)), []);
    assert_eq!(locals.changed(BRIDGE), [(ROW, Job::Look)]);

    let mut locals = held();
    want(&mut locals, &BTreeSet::new());
    done(&mut locals, Job::Release, refused());
    assert!(is_ours(&locals));
    assert_eq!(locals.changed(BRIDGE), [(ROW, Job::Release)]);
    done(&mut locals, Job::Release, refused());
    assert_eq!(want(&mut locals, &wanted()), [(ROW, Job::Hold)], "wanted again");
}

// Broken if an operator could not know whose entry it is: one of ours that is deleted comes back, another's is looked for.
#[test]
fn a_row_that_somebody_removed() {
    let mut locals = held();
    assert_eq!(locals.removed(BRIDGE, Mac::default()), []);
    assert_eq!(locals.removed(BRIDGE, ROW.mac), [(ROW, Job::Hold)]);
    assert_eq!(locals.removed(BRIDGE, ROW.mac), [], "it is on its way");

    let mut locals = Locals::default();
    want(&mut locals, &wanted());
    done(&mut locals, Job::Look, Ok(Found::Local(BRIDGE)));
    assert_eq!(locals.removed(BRIDGE, ROW.mac), [(ROW, Job::Look)]);
}

// Broken if rows of a bridge that is gone were written to whatever has its index next.
#[test]
fn a_bridge_takes_its_rows_with_it() {
    let mut locals = held();
    locals.gone(IfIndex(8));
    assert_eq!(locals.bridges(), [BRIDGE].into());
    locals.gone(BRIDGE);
    assert!(!locals.has(ROW));
    assert!(!locals.made(BRIDGE, ROW.mac));
}
