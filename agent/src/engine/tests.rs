use super::*;

/// A dump begins, an event is heard, and then the dump ends so.
fn dump(engine: &mut Engine, now: Time, dumped: Dumped) -> Effect {
    assert!(engine.turn(now).contains(&Output::Dump));
    let events = vec![Event::LinkGone(IfIndex(7))];
    engine.take(Input::Heard(Heard { events, loss: None }), now);
    engine.take(Input::Dumped(dumped), now)
}

// Broken if a snapshot had the number of an event that was folded in after it, or if one that is not whole had any.
#[test]
fn a_whole_snapshot_has_a_number() {
    let mut engine = Engine::new(true, Policy::default(), 0);
    engine.take(Input::NoChip, Time::ZERO);
    let partial = || Dumped::Partial(Box::default());
    let whole = || Dumped::Whole(Box::default());
    for (second, dumped, snapshot) in
        [(0, Dumped::Failed, None), (2, partial(), None), (4, whole(), Some(6))]
    {
        let effect = dump(&mut engine, Time::from_secs(second), dumped);
        assert_eq!((effect.dumped, effect.snapshot), (true, snapshot), "at {second} s");
    }
    assert_eq!(engine.generation(), 7);
}
