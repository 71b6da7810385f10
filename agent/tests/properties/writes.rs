//! At every single write: nothing that stays is interrupted, nothing that goes comes back, nothing is let in that nobody wants.

use oracle::Switch;

use crate::action::Story;
use crate::judge::{Fates, WayFate, anchored, fates, has_room, place_of, wanted_fates};
use crate::rig::Rig;
use crate::stories::{action, story};
use crate::world::World;
use crate::{Outcome, check, tell};

// Broken if a MAC that stays were ever interrupted, one that goes came back, one that nobody wants were answered, frames went to
// a router interface or port that is neither the old nor the new one, or a router interface or a fast-path slot were without its
// record: at any write.
#[test]
fn no_write_breaks_what_stays() {
    check(14, 3, story(action(), 12), every_write);
}

pub(crate) fn every_write(story: &Story) -> Outcome {
    let mut world = World::new();
    let mut rig = Rig::started("spectrum2", &world)?;
    let mut lost = false;
    for (number, action) in story.0.iter().enumerate() {
        let before = Switch::of(&world.kernel);
        tell(&mut rig, &mut world, action, &mut lost);
        let after = Switch::of(&world.kernel);
        if !has_room(&rig, &world) {
            return Ok(());
        }
        if lost {
            continue;
        }
        let wanted = (wanted_fates(&before), wanted_fates(&after));
        let mut last = wanted.0.clone();
        rig.settle_watched(|rig, change| {
            let now = fates(rig);
            step_is_sound(&before, &after, &wanted, &last, &now)
                .and_then(|()| anchored(rig))
                .map_err(|why| format!("In {number} ({action}) after {change:?}: {why}"))?;
            last = now;
            Ok(())
        })?;
    }
    Ok(())
}

/// What is answered moves from the one state to the other, each MAC once and in one direction.
fn step_is_sound(
    before: &Switch,
    after: &Switch,
    wanted: &(Fates, Fates),
    last: &Fates,
    now: &Fates,
) -> Outcome {
    for (way, now) in now {
        let (old, new, last) = (&wanted.0[way], &wanted.1[way], &last[way]);
        // The same router interface before and after, in the same place.
        let stays = old.by == new.by
            && old.by.iter().flatten().all(|place| {
                let [one, other] = [before, after].map(|switch| at(switch, *place));
                one.map(|rif| (&rif.shape, rif.table)) == other.map(|rif| (&rif.shape, rif.table))
            });
        // A port that comes to a router interface may meet a MAC that is about to go, and one that leaves it a MAC that comes.
        let passing = |mac| {
            let answers = |switch: &Switch, way: &WayFate| {
                let mut rifs = way.by.iter().flatten().filter_map(|place| at(switch, *place));
                rifs.any(|rif| rif.answers.contains_key(mac))
            };
            old.by != new.by && (answers(before, new) || answers(after, old))
        };
        for mac in last.routed.union(&now.routed) {
            let (was, is) = (last.routed.contains(mac), now.routed.contains(mac));
            let (wanted_then, wanted) = (old.routed.contains(mac), new.routed.contains(mac));
            let interrupted = was && !is && wanted_then && wanted && stays;
            let came_back = !was && is && !wanted;
            let foreign = (is && !wanted && !wanted_then || came_back) && !passing(mac);
            if foreign || interrupted {
                return Err(format!(
                    "{way:?}, {mac:x?}: answered {was} then {is}; wanted {wanted_then} then {wanted}"
                ));
            }
        }
        if let Some(foreign) = now.by.iter().find(|by| !old.by.contains(by) && !new.by.contains(by))
        {
            return Err(format!(
                "{way:?} is routed by {foreign:?}, not {:?} or {:?}",
                old.by, new.by
            ));
        }
        let known = |copy: &(std::collections::BTreeSet<u16>, Option<u16>)| {
            let mut all = old.copies.iter().chain(&new.copies);
            all.any(|one| copy.0.is_subset(&one.0) && copy.1 == one.1)
        };
        if let Some(stray) = now.copies.iter().find(|copy| !known(copy)) {
            return Err(format!(
                "{way:?} is bridged to {stray:?}, not {:?} or {:?}",
                old.copies, new.copies
            ));
        }
    }
    Ok(())
}

/// The router interface in a place.
fn at(switch: &Switch, place: u32) -> Option<&oracle::RouterInterface> {
    let mut all = switch.router_interfaces.iter();
    all.find(|(ifindex, _)| place_of(switch, **ifindex) == place).map(|(_, rif)| rif)
}
