//! Does everything that is not in the chip say why, what follows and what to do?

use firsthop::views::{Neighbours, Routes, explain};
use firsthop_model::intent::{Reason, State};
use firsthop_model::reconcile::Reconciler;

use crate::Outcome;

/// Whatever the topology, and whatever was refused: each device, route and neighbour, at any time.
pub(crate) fn everything_says_why(reconciler: &Reconciler) -> Outcome {
    for link in reconciler.topology().links() {
        let told = explain(reconciler, link);
        says_why(&told.ifname, told.state, told.reason.as_deref())?;
        for text in [told.sentence, told.effect, told.fix] {
            let said = text.is_some_and(|text| text.ends_with('.'));
            if !said && told.state != State::Offload {
                return Err(format!("{} is {} without an explanation", told.ifname, told.state));
            }
        }
    }
    for route in Routes::default().page(reconciler).0 {
        says_why(&route.dst, route.state, route.reason.as_deref())?;
    }
    for host in Neighbours::default().page(reconciler).0 {
        says_why(&host.dst.to_string(), host.state, host.reason.as_deref())?;
    }
    Ok(())
}

/// A documented reason that stands for that state; one that is only worth knowing goes with any.
fn says_why(what: &str, state: State, code: Option<&str>) -> Outcome {
    let known = code.map(Reason::of_code);
    match known {
        None if state == State::Offload => Ok(()),
        None => Err(format!("{what} is {state}, and nothing says why")),
        Some(Some(reason)) if [state, State::Offload].contains(&reason.state()) => Ok(()),
        Some(_) => Err(format!("{what} is {state} by {}", code.unwrap_or_default())),
    }
}
