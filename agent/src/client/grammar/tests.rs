use firsthop_model::intent::State;

use super::*;

fn read(line: &str) -> Result<Command, Usage> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    parse(&words)
}

fn ask(line: &str) -> (Options, Question) {
    match read(line) {
        Ok(Command::Ask(options, question)) => (options, question),
        other => panic!("{line}: {other:?}"),
    }
}

fn complaint(line: &str) -> String {
    match read(line) {
        Err(Usage(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn dev(name: &str) -> Filter {
    Filter { dev: Some(name.into()), ..Filter::default() }
}

fn told<const N: usize>(objects: [Told; N]) -> MonitorFilter {
    MonitorFilter { objects: Some(BTreeSet::from(objects)) }
}

fn traps(table: TrapTable, dev: Option<&str>, trap: Option<&str>, group: Option<&str>) -> Question {
    let text = |word: Option<&str>| word.map(str::to_owned);
    let filter = TrapFilter { dev: text(dev), trap: text(trap), group: text(group), policer: None };
    Question::Trap(table, filter)
}

// Broken if `-js` of devlink's scripts were refused, or an option with a value hid in such a word.
#[test]
fn short_options_together() {
    let (options, _) = ask("-jsv trap");
    assert!(options.json && options.stats && options.details && !options.pretty);
    assert!(ask("-br trap").0.brief);
    assert!(complaint("-jn r1 trap").contains("-jn"));
    assert!(complaint("--js trap").contains("--js"));
}

// Broken if a word, a prefix or the missing verb meant something else than in iproute2.
#[test]
fn objects_verbs_and_prefixes() {
    for (line, question) in [
        ("rif", Question::Rif(Filter::default())),
        ("rif show", Question::Rif(Filter::default())),
        ("rif sh dev swp1", Question::Rif(dev("swp1"))),
        ("rif list", Question::Rif(Filter::default())),
        ("ri dev swp1", Question::Rif(dev("swp1"))),
        ("v show dev show", Question::Vmac(dev("show"))),
        (
            "vmac lower swp1 vrid 7",
            Question::Vmac(Filter { dev: None, lower: Some("swp1".into()), vrid: Some(7) }),
        ),
        ("port", Question::Port(Filter::default())),
        ("t show trap ipv4_vrrp", traps(TrapTable::Traps, None, Some("ipv4_vrrp"), None)),
        ("trap", traps(TrapTable::Traps, None, None, None)),
        ("trap group vrrp", traps(TrapTable::Traps, None, None, Some("vrrp"))),
        ("trap group", traps(TrapTable::Groups, None, None, None)),
        ("trap policer show", traps(TrapTable::Policers, None, None, None)),
        // as devlink_lib.sh of the kernel's selftests asks
        (
            "trap show hwsim/0 trap ipv4_vrrp",
            traps(TrapTable::Traps, Some("hwsim/0"), Some("ipv4_vrrp"), None),
        ),
        (
            "trap group show hwsim/0 group vrrp",
            traps(TrapTable::Groups, Some("hwsim/0"), None, Some("vrrp")),
        ),
        (
            "trap policer show hwsim/0 policer 11",
            Question::Trap(
                TrapTable::Policers,
                TrapFilter {
                    dev: Some("hwsim/0".into()),
                    policer: Some(11),
                    ..TrapFilter::default()
                },
            ),
        ),
        (
            "trap monitor dev hwsim/0",
            Question::TrapMonitor(TrapFilter {
                dev: Some("hwsim/0".into()),
                ..TrapFilter::default()
            }),
        ),
        ("check", Question::Check(None)),
        ("ch f.toml", Question::Check(Some("f.toml".into()))),
        ("sup", Question::Support(None)),
        ("support a.tar.gz", Question::Support(Some("a.tar.gz".into()))),
        ("res", Question::Resource),
        ("stat", Question::Status),
        ("di", Question::Diff(None)),
        ("diff --emad-pcap a.pcap", Question::Diff(Some("a.pcap".into()))),
        ("diff show --emad-pcap=a.pcap", Question::Diff(Some("a.pcap".into()))),
        ("--emad-pcap a.pcap di", Question::Diff(Some("a.pcap".into()))),
        ("diff --emad-pcap -", Question::Diff(Some("-".into()))),
        ("explain swp1", Question::Explain("swp1".into())),
        ("e dev swp1", Question::Explain("swp1".into())),
        ("explain dev", Question::Explain("dev".into())),
        ("explain show", Question::Explain("show".into())),
        ("mon", Question::Monitor(MonitorFilter::default())),
        ("mon k h", Question::Monitor(told([Told::Kernel, Told::Hw]))),
        ("mon all", Question::Monitor(told([Told::Kernel, Told::Rif, Told::Vmac, Told::Hw]))),
        ("doctor", Question::Doctor),
    ] {
        assert_eq!(ask(line).1, question, "{line}");
    }
}

// Broken if a prefix, an address or a table meant another than for `ip route` and `ip neigh`.
#[test]
fn routes_and_neighbours() {
    let route = |edit: fn(&mut RouteFilter)| {
        let mut filter = RouteFilter::default();
        edit(&mut filter);
        filter
    };
    let prefix = |text: &str| Some(text.parse().unwrap());
    for (line, question) in [
        ("route", Question::Route(RouteFilter::default())),
        ("ro sh", Question::Route(RouteFilter::default())),
        ("route dev swp1", Question::Route(route(|f| f.dev = Some("swp1".into())))),
        ("route 10.0.0.0/8", Question::Route(route(|f| f.prefix = "10.0.0.0/8".parse().ok()))),
        ("route show 10.0.0.1", Question::Route(route(|f| f.prefix = "10.0.0.1/32".parse().ok()))),
        ("route list default", Question::Route(route(|f| f.prefix = "0.0.0.0/0".parse().ok()))),
        ("route default", Question::Route(route(|f| f.prefix = "0.0.0.0/0".parse().ok()))),
        ("route ::/0", Question::Route(route(|f| f.prefix = "::/0".parse().ok()))),
        ("route table local", Question::Route(route(|f| f.table = Some(255)))),
        ("route show ta 7 dev d", {
            let filter = RouteFilter { dev: Some("d".into()), ..route(|f| f.table = Some(7)) };
            Question::Route(filter)
        }),
        ("route vrf red", Question::Route(route(|f| f.vrf = Some("red".into())))),
        ("route get ::1", Question::RouteGet(route(|f| f.address = "::1".parse().ok()))),
        ("route get vrf red 10.0.0.1", {
            let address = "10.0.0.1".parse().ok();
            Question::RouteGet(RouteFilter { address, ..route(|f| f.vrf = Some("red".into())) })
        }),
        ("n", Question::Neighbour(NeighbourFilter::default())),
        ("neigh show dev swp1 192.0.2.9", {
            let address = Some([192, 0, 2, 9].into());
            Question::Neighbour(NeighbourFilter { dev: Some("swp1".into()), address })
        }),
        ("neigh fe80::1", {
            let address = "fe80::1".parse().ok();
            Question::Neighbour(NeighbourFilter { dev: None, address })
        }),
    ] {
        assert_eq!(ask(line).1, question, "{line}");
    }
    let explained = |line: &str| match ask(line).1 {
        Question::ExplainRoute(filter) => (filter.prefix, filter.table),
        other => panic!("{line}: {other:?}"),
    };
    assert_eq!(explained("explain 10.0.0.0/8"), (prefix("10.0.0.0/8"), None));
    assert_eq!(explained("e 10.0.0.1 table 7"), (prefix("10.0.0.1/32"), Some(7)));
    assert_eq!(explained("explain route default"), (prefix("0.0.0.0/0"), None));
    for (line, dev) in [
        ("explain default", "default"),
        ("explain route", "route"),
        ("explain dev 10.0.0.1", "10.0.0.1"),
    ] {
        assert_eq!(ask(line).1, Question::Explain(dev.into()), "{line}");
    }
}

// Broken if options depended on their order, or the long forms were missing.
#[test]
fn options_combine_in_any_order() {
    let all = Options {
        json: true,
        pretty: true,
        stats: true,
        details: true,
        brief: true,
        timestamp: true,
        netns: Some("r1".into()),
        socket: Some("/tmp/x".into()),
        state: Some("s".into()),
        colour: Colour::Always,
    };
    for line in [
        "-j -p -s -d -br -t -c -n r1 --socket /tmp/x --state s status",
        "--state=s --socket=/tmp/x -c -t --netns=r1 -br -d -s -p -j status",
        "--brief --details --json --pretty --stats --timestamp -color=always -netns r1 -socket /tmp/x -state s status",
    ] {
        assert_eq!(ask(line), (all.clone(), Question::Status), "{line}");
    }
    assert_eq!(ask("status").0, Options::default());
    assert_eq!(ask("-c=auto status").0.colour, Colour::Auto);
    assert_eq!(ask("-color=never status").0.colour, Colour::Never);
}

// Broken if `wait` waited for something else than it was told.
#[test]
fn waits() {
    let object = |vmac, state| Wanted::Object { vmac, dev: "v5".into(), state };
    let seconds = Duration::from_secs_f64;
    for (line, wanted, timeout) in [
        ("wait synced timeout 3", Wanted::Synced, seconds(3.0)),
        ("wait synced", Wanted::Synced, PATIENCE),
        ("wait audited", Wanted::Audited, PATIENCE),
        (
            "wait vmac dev v5 state offload timeout 0.5",
            object(true, Some(State::Offload)),
            seconds(0.5),
        ),
        ("wait rif dev v5 gone timeout 1", object(false, None), seconds(1.0)),
        ("wait rif timeout 1 state gone dev v5", object(false, None), seconds(1.0)),
    ] {
        assert_eq!(ask(line).1, Question::Wait(wanted, timeout), "{line}");
    }
}

// Broken if a mistake passed, or the line about it did not name it.
#[test]
fn mistakes_are_named_in_one_line() {
    for (line, part) in [
        ("", "firsthop help"),
        ("nonsense", "'nonsense'"),
        ("r", "rif, route, resource"),
        ("route get", "route get ADDRESS"),
        ("route get swp1", "'swp1'"),
        ("route get 10.0.0.0/8", "'10.0.0.0/8'"),
        ("route 10.0.0.1/8", "10.0.0.0/8 has not"),
        ("route 10.0.0.0/33", "'10.0.0.0/33'"),
        ("route table all", "'all'"),
        ("route table 7 vrf red", "not both"),
        ("route dev", "`dev` needs"),
        ("route lower swp1", "'lower'"),
        ("route flush", "'flush'"),
        ("neigh vrf red", "'vrf'"),
        ("neigh 192.0.2.0/24", "'192.0.2.0/24'"),
        ("explain route swp1", "'swp1'"),
        ("explain 10.0.0.1/8", "10.0.0.0/8 has not"),
        ("explain swp1 table 7", "'table'"),
        ("d", "diff, doctor"),
        ("s", "status, support"),
        ("monitor everything", "'everything'"),
        ("check a b", "'b'"),
        ("support a b", "'b'"),
        ("-c=blue rif", "always, auto or never"),
        ("--state", "--state needs"),
        ("-x rif", "'-x'"),
        ("-j=1 rif", "'-j=1'"),
        ("rif -j", "'-j' must stand before the object"),
        ("rif show -j", "'-j' must stand before the object"),
        ("-n", "-n needs"),
        ("rif delete", "'delete'"),
        ("rif dev", "`dev` needs"),
        ("rif lower swp1", "'lower'"),
        ("rif show swp1", "'swp1'"),
        ("vmac vrid 0", "'0'"),
        ("vmac vrid 256", "'256'"),
        ("status all", "'all'"),
        ("status show now", "'now'"),
        ("explain", "explain DEV"),
        ("explain a b", "'b'"),
        ("wait", "synced"),
        ("wait vmac", "dev NAME"),
        ("wait vmac dev v5", "state STATE"),
        ("wait vmac dev v5 state up", "'up'"),
        ("wait synced timeout x", "'x'"),
        ("wait synced timeout -1", "'-1'"),
        ("wait synced timeout nan", "'nan'"),
        ("wait synced state gone", "'state'"),
    ] {
        let text = complaint(line);
        assert!(text.contains(part), "{line}: {text}");
        assert!(!text.contains('\n'), "{line}: {text}");
    }
}

// Broken if somebody asked for help and got an error.
#[test]
fn help_at_each_level() {
    for (line, topic) in [
        ("help", None),
        ("-h", None),
        ("--help", None),
        ("-j help", None),
        ("rif help", Some(Object::Rif)),
        ("vmac show help", Some(Object::Vmac)),
        ("wait help", Some(Object::Wait)),
        ("explain help", Some(Object::Explain)),
    ] {
        assert_eq!(read(line), Ok(Command::Help(topic)), "{line}");
    }
    assert_eq!(read("-V"), Ok(Command::Version));
}

// Broken if a line of help were cut or wrapped in a terminal that nobody made wider.
#[test]
fn help_fits_into_a_terminal() {
    let texts = OBJECTS.iter().map(|(_, object)| Some(*object)).chain([None]);
    for line in texts.flat_map(|topic| super::super::help::of(topic).lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}
