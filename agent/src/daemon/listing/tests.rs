use firsthop_model::fib::RouteKind;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::views::route::tests::router;
use crate::views::tests::Bench;

fn many() -> Bench {
    let mut bench = router();
    for number in 0..3000_u32 {
        let prefix = format!("172.{}.{}.0/24", 16 + number / 256, number % 256);
        bench.route(254, &prefix, RouteKind::Blackhole, "");
    }
    bench
}

fn listing(bench: &Bench, request: &Request) -> Rows {
    Rows::of(request, &bench.reconciler).unwrap().unwrap()
}

// Broken if somebody who does not read made pages without end, kept others from theirs, or did not get the rest when he reads.
#[test]
fn who_reads_slowly_waits_for_himself() {
    let bench = many();
    let request = Request::ListRoute(RouteFilter::default());
    let (slow, mut slow_pages) = mpsc::channel(256);
    let (quick, mut quick_pages) = mpsc::channel(256);
    let mut listings = Listings::default();
    for replies in [slow, quick] {
        listings.add(listing(&bench, &request), Replies::of(replies));
    }
    let rows = |reply: &Reply| reply.parameters["routes"].as_array().map_or(0, Vec::len);
    let mut told = 0;
    for _ in 0..1000 {
        listings.tell(&bench.reconciler, false);
        while let Ok(reply) = quick_pages.try_recv() {
            told += rows(&reply);
            assert!(rows(&reply) <= 200, "an answer of a size that nobody has to fear");
        }
        assert!(slow_pages.len() <= ROOM);
    }
    assert_eq!(told, 3010);
    assert_eq!(slow_pages.len(), ROOM);
    let (mut told, mut last) = (0, None);
    while let Some(reply) = slow_pages.try_recv().ok().or_else(|| {
        listings.tell(&bench.reconciler, true);
        slow_pages.try_recv().ok()
    }) {
        told += rows(&reply);
        last = Some(reply);
    }
    assert_eq!(told, 3010);
    let last = last.unwrap();
    assert!(!last.continues && last.parameters["stale"] == Value::Bool(true));
    assert_eq!(last.parameters["routing"], "hardware");
    assert_eq!(listings.tell(&bench.reconciler, false), None, "everybody knows everything");
}

// Broken if a list for a client that went away were told on.
#[test]
fn who_went_away_is_told_no_more() {
    let bench = many();
    let (replies, pages) = mpsc::channel(256);
    let mut listings = Listings::default();
    let request = Request::ListNeighbour(NeighbourFilter::default());
    listings.add(listing(&bench, &request), Replies::of(replies));
    // another one goes with everything that he has not read
    let (replies, unread) = mpsc::channel(256);
    let request = Request::ListRoute(RouteFilter::default());
    listings.add(listing(&bench, &request), Replies::of(replies));
    listings.tell(&bench.reconciler, false);
    while unread.len() < ROOM {
        listings.tell(&bench.reconciler, false);
    }
    drop((pages, unread));
    assert_eq!(listings.tell(&bench.reconciler, false), None);
    assert!(listings.0.is_empty(), "nobody is left");
}

// Broken if a device or VRF that is not there were taken for one without routes.
#[test]
fn names_have_to_exist() {
    let bench = router();
    let missing = |request: Request| match Rows::of(&request, &bench.reconciler) {
        Some(Err(Failure::NoSuchDevice(name))) => name,
        other => panic!("{other:?}"),
    };
    let name = || Some("nosuch".to_owned());
    let dev = RouteFilter { dev: name(), ..RouteFilter::default() };
    assert_eq!(missing(Request::ListRoute(dev)), "nosuch");
    let vrf = RouteFilter { vrf: Some("swp1".into()), ..RouteFilter::default() };
    assert_eq!(missing(Request::ListRoute(vrf)), "swp1");
    let dev = NeighbourFilter { dev: name(), address: None };
    assert_eq!(missing(Request::ListNeighbour(dev)), "nosuch");
    assert!(Rows::of(&Request::Status, &bench.reconciler).is_none());
}
