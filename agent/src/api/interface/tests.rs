use std::collections::BTreeSet;

use firsthop_model::chip::Entry;

use super::*;

fn call(text: &str) -> Call {
    parse(text.as_bytes()).unwrap()
}

fn ask(method: &str, parameters: Value) -> Result<Request, Failure> {
    let Value::Object(parameters) = parameters else { panic!("{parameters}") };
    let method = format!("{NAME}.{method}");
    let call = Call { method, parameters, more: true, oneway: false };
    match dispatch(&call)? {
        Step::Ask(request) => Ok(request),
        Step::Answer(reply) => panic!("{reply:?}"),
    }
}

// Broken if a method of the interface were not served, or one were served that the interface does not tell of.
#[test]
fn the_description_is_complete() {
    let words = |keyword: &'static str| {
        DESCRIPTION
            .lines()
            .filter_map(move |line| line.strip_prefix(keyword)?.trim_start().split('(').next())
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    for method in words("method ") {
        let found = ask(&method, json!({}));
        assert!(!matches!(found, Err(Failure::MethodNotFound(_))), "{method}");
    }
    assert_eq!(words("method ").len(), 16);
    for failure in [
        Failure::NotUnderstood(String::new()),
        Failure::InvalidConfiguration(String::new()),
        Failure::NoSuchDevice(String::new()),
        Failure::NoSuchRoute(String::new()),
        Failure::TimedOut(String::new()),
        Failure::ChipFailed(String::new()),
        Failure::NoChip,
    ] {
        let name = failure.reply().error.unwrap();
        assert!(
            words("error ").contains(name.strip_prefix("org.firsthop.Agent.").unwrap()),
            "{name}"
        );
    }
}

// Broken if arguments went to another place than they say, or wrong ones passed.
#[test]
fn arguments_are_checked() {
    let invalid = |name: &str| Err(Failure::InvalidParameter(name.to_owned()));
    let filter = Filter { dev: Some("swp1".into()), ..Filter::default() };
    assert_eq!(ask("ListRif", json!({"dev": "swp1"})), Ok(Request::ListRif(filter)));
    assert_eq!(ask("ListRif", json!({"device": "swp1"})), invalid("device"));
    assert_eq!(ask("ListTrap", json!({})), Ok(Request::ListTrap));
    let filter = TrapFilter { policer: Some(11), ..TrapFilter::default() };
    assert_eq!(ask("MonitorTrap", json!({"policer": 11})), Ok(Request::MonitorTrap(filter)));
    assert_eq!(ask("Status", json!({"x": 1})), invalid("x"));
    assert_eq!(ask("Diff", json!({})), Ok(Request::Diff { recorded: None }));
    assert_eq!(ask("Diff", json!({"record": {}})), invalid("record"));
    let rows =
        Rows { whole: true, held: vec![Entry::AgeingTime { seconds: 300 }], ..Rows::default() };
    let recorded = json!({"recorded": rows});
    assert_eq!(ask("Diff", recorded), Ok(Request::Diff { recorded: Some(Box::new(rows)) }));
    assert!(ask("Diff", json!({"recorded": {"whole": true, "held": [{"rif": 1}]}})).is_err());
    assert_eq!(ask("Explain", json!({})), invalid("dev"));
    assert!(ask("ListVmac", json!({"vrid": 300})).is_err());
    assert!(
        matches!(ask("Nothing", json!({})), Err(Failure::MethodNotFound(m)) if m.ends_with("Agent.Nothing"))
    );
}

// Broken if a prefix that no route can have were looked for in vain, or many rows went to a client that takes one answer.
#[test]
fn routes_are_asked_for() {
    let filter = RouteFilter {
        table: Some(254),
        prefix: Some("10.0.0.0/8".parse().unwrap()),
        ..RouteFilter::default()
    };
    let arguments = json!({"table": 254, "prefix": "10.0.0.0/8"});
    assert_eq!(ask("ListRoute", arguments.clone()), Ok(Request::ListRoute(filter)));
    let filter = NeighbourFilter { address: Some([192, 0, 2, 9].into()), dev: None };
    let neighbour = ask("ListNeighbour", json!({"address": "192.0.2.9"}));
    assert_eq!(neighbour, Ok(Request::ListNeighbour(filter)));
    let invalid = |name: &str| Err(Failure::InvalidParameter(name.to_owned()));
    assert_eq!(ask("ListRoute", json!({"prefix": "10.0.0.1/8"})), invalid("prefix"));
    assert_eq!(ask("ListRoute", json!({"lower": "swp1"})), invalid("lower"));
    assert_eq!(ask("ExplainRoute", json!({"prefix": "10.0.0.1/8"})), invalid("prefix"));
    assert_eq!(ask("ExplainRoute", json!({})), invalid("prefix"));
    let prefix = "::/0".parse().unwrap();
    let asked = Request::ExplainRoute { prefix, table: None, vrf: Some("red".into()) };
    assert_eq!(ask("ExplainRoute", json!({"prefix": "::/0", "vrf": "red"})), Ok(asked));
    for method in ["ListRoute", "ListNeighbour"] {
        let text = format!(r#"{{"method":"{NAME}.{method}"}}"#);
        assert_eq!(dispatch(&call(&text)), Err(Failure::ExpectedMore), "{method}");
    }
}

// Broken if a wait could be for something that never comes about, or without end.
#[test]
fn waits_are_checked() {
    let wait = |object: &str, dev: Option<&str>, state: Option<&str>, timeout_ms: u64| {
        ask("Wait", json!({"object": object, "dev": dev, "state": state, "timeout_ms": timeout_ms}))
    };
    let timeout = Duration::from_millis(1500);
    let object = |vmac, state| Wanted::Object { vmac, dev: "x".into(), state };
    for (found, wanted) in [
        (wait("synced", None, None, 1500), Wanted::Synced),
        (wait("audited", None, None, 1500), Wanted::Audited),
        (wait("vmac", Some("x"), Some("gone"), 1500), object(true, None)),
        (
            wait("rif", Some("x"), Some("not_offloaded"), 1500),
            object(false, Some(State::NotOffloaded)),
        ),
    ] {
        assert_eq!(found, Ok(Request::Wait { wanted, timeout }));
    }
    for (found, blamed) in [
        (wait("all", None, None, 1), "object"),
        (wait("vmac", None, Some("gone"), 1), "dev"),
        (wait("vmac", Some("x"), None, 1), "state"),
        (wait("rif", Some("x"), Some("up"), 1), "state"),
        (wait("synced", Some("x"), None, 1), "dev"),
        (wait("synced", None, None, u64::MAX), "timeout_ms"),
    ] {
        assert_eq!(found, Err(Failure::InvalidParameter(blamed.to_owned())));
    }
}

// Broken if a varlink tool could not find out what is served.
#[test]
fn the_service_describes_itself() {
    let answer = |text: &str| match dispatch(&call(text)) {
        Ok(Step::Answer(reply)) => Ok(reply.parameters),
        Ok(Step::Ask(request)) => panic!("{request:?}"),
        Err(failure) => Err(failure.reply().error.unwrap()),
    };
    let info = answer(r#"{"method":"org.varlink.service.GetInfo"}"#).unwrap();
    assert_eq!(info["interfaces"], json!(["org.varlink.service", "org.firsthop.Agent"]));
    for interface in ["org.varlink.service", "org.firsthop.Agent"] {
        let text = format!(
            r#"{{"method":"org.varlink.service.GetInterfaceDescription","parameters":{{"interface":"{interface}"}}}}"#
        );
        let description = answer(&text).unwrap()["description"].as_str().unwrap().to_owned();
        assert!(description.contains(&format!("\ninterface {interface}\n")));
    }
    for (text, error) in [
        (r#"{"method":"org.varlink.service.Nothing"}"#, "org.varlink.service.MethodNotFound"),
        (r#"{"method":"org.example.Ping"}"#, "org.varlink.service.InterfaceNotFound"),
        (r#"{"method":"Ping"}"#, "org.varlink.service.InterfaceNotFound"),
        (r#"{"method":""}"#, "org.varlink.service.InterfaceNotFound"),
        (
            r#"{"method":"org.varlink.service.GetInterfaceDescription"}"#,
            "org.varlink.service.InvalidParameter",
        ),
        (r#"{"method":"org.firsthop.Agent.Monitor"}"#, "org.varlink.service.ExpectedMore"),
    ] {
        assert_eq!(answer(text), Err(error.to_owned()), "{text}");
    }
}

// Broken if garbage were taken for a call, or made the daemon panic.
#[test]
fn garbage_is_not_understood() {
    for text in ["", "null", "[]", "{}", "{\"method\":1}", "{\"method\":\"x\",", "\u{1}\u{2}"] {
        assert!(matches!(parse(text.as_bytes()), Err(Failure::NotUnderstood(_))), "{text:?}");
    }
    assert!(parse(&[0xff, 0xfe]).is_err());
}
