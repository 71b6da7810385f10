use super::book::*;
use super::*;
use firsthop_asic::kernel::flower::{Clsact, FlowerError, Report, Wish};

const PORT: IfIndex = IfIndex(3);
const NOW: Duration = Duration::from_secs(7);

fn rule(port: IfIndex, family: Family) -> ControlRule {
    ControlRule { port, vlan: None, family }
}

fn both(port: IfIndex) -> [ControlRule; 2] {
    [rule(port, Family::Ipv4), rule(port, Family::Ipv6)]
}

fn book(mode: Mode) -> Book {
    let mut book = Book::new(false);
    book.set_mode(mode);
    book
}

fn want(book: &mut Book, rules: &[ControlRule]) {
    book.want(rules.iter().copied(), |port| Some(format!("eth{}", port.0)));
}

/// The kernel's answer to a wish: every rule stands like this.
fn report(wish: &Wish, standing: &Standing, clsact: Clsact) -> Result<Report, FlowerError> {
    let rules = wish.rules.iter().map(|rule| (*rule, standing.clone())).collect();
    Ok(Report { rules, stuck: BTreeMap::new(), clsact })
}

/// Orders are answered until none is left, by a driver that takes every rule; all of them.
fn settle(book: &mut Book, clsact_there: bool) -> Vec<Wish> {
    let mut wishes = Vec::new();
    let mut there = clsact_there;
    while let Some(wish) = book.next(NOW) {
        let made = !there && wish.write && wish.clsact && !wish.rules.is_empty();
        let removed = wish.clsact && wish.rules.is_empty() && there && !clsact_there;
        there = (there || made) && !removed;
        let clsact = match (made, there) {
            (true, _) => Clsact::Made,
            (_, true) => Clsact::There,
            (_, false) => Clsact::Absent,
        };
        let standing = if there && wish.write { Standing::Ours } else { Standing::Absent };
        book.done(&wish, report(&wish, &standing, clsact), NOW);
        wishes.push(wish);
        assert!(wishes.len() < 10, "{wishes:?}");
    }
    wishes
}

fn claim(clsact: bool) -> Claim {
    Claim { ifindex: PORT, name: "eth3".to_owned(), clsact }
}

// Broken if a clsact were made before that was written down, or made where one is.
#[test]
fn a_clsact_is_written_down_before_it_is_made() {
    let mut book = book(Mode::Written);
    want(&mut book, &both(PORT));
    assert_eq!(book.claims().ports, BTreeSet::from([claim(false)]));
    let wish = book.next(NOW).unwrap();
    assert!(wish.write && !wish.clsact);
    book.done(&wish, report(&wish, &Standing::Absent, Clsact::Absent), NOW);
    assert_eq!(book.claims().ports, BTreeSet::from([claim(true)]));
    let wish = book.next(NOW).unwrap();
    assert!(wish.clsact);
    // somebody else made it in between
    book.done(&wish, report(&wish, &Standing::Ours, Clsact::There), NOW);
    assert_eq!(book.claims().ports, BTreeSet::from([claim(false)]));
    assert!(book.is_settled());
}

// Broken if what is ours were forgotten while it is there, or kept in the record for ever.
#[test]
fn claims_last_as_long_as_what_they_are_about() {
    for foreign in [false, true] {
        let mut book = book(Mode::Written);
        want(&mut book, &both(PORT));
        settle(&mut book, foreign);
        assert_eq!(book.claims().ports, BTreeSet::from([claim(!foreign)]));
        assert_eq!(book.found(both(PORT)[0]), Some(&Standing::Ours));
        want(&mut book, &[]);
        assert_eq!(book.claims().ports.len(), 1, "still there");
        let wish = book.next(NOW).unwrap();
        assert!(wish.rules.is_empty() && wish.write && wish.clsact != foreign);
        let clsact = if foreign { Clsact::There } else { Clsact::Absent };
        book.done(&wish, report(&wish, &Standing::Absent, clsact), NOW);
        assert_eq!(book.claims(), Claims::default());
    }
}

// Broken if a trap that cuts somebody off waited behind the rules of other ports.
#[test]
fn ports_that_lose_a_rule_come_first() {
    let late = IfIndex(9);
    let mut book = book(Mode::Written);
    want(&mut book, &both(late));
    settle(&mut book, false);
    want(&mut book, &both(PORT));
    assert_eq!(book.next(NOW).map(|wish| wish.port), Some(late));
    assert_eq!(book.next(NOW).map(|wish| wish.port), Some(PORT));
    assert_eq!(book.next(NOW), None);
}

// Broken if a driver were asked again and again for what it refuses, or never again.
#[test]
fn what_is_refused_is_tried_again_slowly() {
    let mut book = book(Mode::Written);
    want(&mut book, &both(PORT));
    let wish = book.next(NOW).unwrap();
    let refused = Standing::Refused("not here".to_owned());
    book.done(&wish, report(&wish, &refused, Clsact::There), NOW);
    assert!(book.is_settled());
    let later = NOW + Duration::from_secs(60);
    assert!(book.audit(later, None));
    let wish = book.next(later).unwrap();
    assert_eq!(wish.rules, BTreeSet::new());
    book.done(&wish, report(&wish, &Standing::Ours, Clsact::There), later);
    assert_eq!(book.found(both(PORT)[0]), Some(&refused), "it is still told");
    let later = NOW + Duration::from_secs(301);
    assert!(book.audit(later, None));
    assert_eq!(book.next(later).unwrap().rules, both(PORT).into());
}

// Broken if a daemon that may only look wrote, or left what an earlier one had made.
#[test]
fn only_shown() {
    let mut book = book(Mode::Shown);
    want(&mut book, &both(PORT));
    let wish = book.next(NOW).unwrap();
    assert!(!wish.write && wish.rules.len() == 2);
    book.done(&wish, report(&wish, &Standing::Absent, Clsact::Absent), NOW);
    assert!(book.is_settled() && book.claims() == Claims::default());

    let mut book = Book::new(false);
    book.recall(claim(true));
    book.set_mode(Mode::Shown);
    want(&mut book, &both(PORT));
    let wish = book.next(NOW).unwrap();
    assert!(wish.write && wish.rules.is_empty() && wish.clsact, "cleaned first");
    book.done(&wish, report(&wish, &Standing::Absent, Clsact::Absent), NOW);
    assert_eq!(book.claims(), Claims::default());
    let wish = book.next(NOW).unwrap();
    assert!(!wish.write && wish.rules.len() == 2, "then looked at");
}

// Broken if an audit came too early or never, or a port that is gone were asked about for ever.
#[test]
fn audits_and_ports_that_go() {
    let mut book = book(Mode::Written);
    want(&mut book, &both(PORT));
    settle(&mut book, false);
    assert!(!book.audit(Duration::from_secs(29), None));
    assert!(book.audit(Duration::from_secs(29), Some(Duration::from_secs(1))));
    assert_eq!(book.deadline(), Some(Duration::from_secs(59)));
    assert!(!book.is_settled());
    let wish = book.next(NOW).unwrap();
    book.want([], |_| None);
    book.done(&wish, report(&wish, &Standing::Ours, Clsact::There), NOW);
    assert!(book.is_settled() && book.claims() == Claims::default());
}
