//! The socket: requests, nonsense, several clients, faults.

use emad::register::{Qpcr, Register, Rgcr, Sfd, SfdOp, SfdRecord, Sfmr};
use emad::{Frame, Mac, Method, Operation, Status};
use hwsim::error::Error;
use serde_json::{Value, json};

use crate::router::{arp_request, program, write};
use crate::support::{Simulator, isolated};
use hwsim::control::to_hex;

fn dump(simulator: &Simulator) -> Value {
    simulator.ask(&json!({ "request": "dump" }))
}

fn request(register: &Register) -> Vec<u8> {
    let operation = Operation::request(register.id(), Method::Write, 7);
    Frame::new(operation, register.encode()).unwrap().encode()
}

// Would break: a broken or hostile client changes the chip, hangs its own connection, or ends the
// simulator for everybody.
#[test]
fn nonsense_changes_nothing() {
    isolated("socket::nonsense_changes_nothing", || {
        let simulator = Simulator::start(&["--ports", "2"]);
        program(&mut simulator.connect(), 2);
        let before = dump(&simulator);
        let good = request(&Rgcr { max_router_interfaces: 5, ..Rgcr::default() }.into());
        let mut nonsense: Vec<Vec<u8>> = (14..good.len()).map(|cut| good[..cut].to_vec()).collect();
        nonsense.push(vec![0xff; 1000]);
        nonsense.push(b"{".to_vec());
        nonsense.push(b"{\"request\":17}".to_vec());
        nonsense.push(b"{\"request\":\"dmup\"}".to_vec());
        nonsense.push("[".repeat(60_000).into_bytes());
        nonsense.push(("{\"a\":".repeat(10_000)).into_bytes());
        nonsense.push(vec![b'{'; 65_537]);
        nonsense.push(vec![0x89; 200_000]);
        let mut client = simulator.connect();
        for datagram in nonsense {
            client.send(&datagram).unwrap();
            let answer = client.receive().unwrap();
            if let Ok(answer) = serde_json::from_slice::<Value>(&answer) {
                assert_eq!(answer["ok"], false);
                assert!(answer["error"].as_str().unwrap().len() > 5);
            } else {
                let status = Frame::decode(&answer).unwrap().operation.status;
                assert_ne!(status, Status::Ok, "{} bytes", datagram.len());
            }
        }
        assert_eq!(dump(&simulator), before);
        write(&mut client, Rgcr { max_router_interfaces: 5, ..Rgcr::default() });
        assert_ne!(dump(&simulator), before);
    });
}

// Would break: one client's requests or its silence hold up another's.
#[test]
fn clients_do_not_disturb_each_other() {
    isolated("socket::clients_do_not_disturb_each_other", || {
        let simulator = Simulator::start(&["--ports", "2"]);
        let mut lazy = simulator.connect();
        // It asks and never reads: it will be owed much, or be cut off.
        for _ in 0..200 {
            if lazy.send(b"{\"request\":\"dump\"}").is_err() {
                break;
            }
        }
        let mut clients: Vec<_> = (0..20).map(|_| simulator.connect()).collect();
        for pid in 1..=10 {
            for client in &mut clients {
                write(client, Qpcr { pid, cir: 100, cbs_log2: 7, ..Qpcr::default() });
            }
        }
        assert_eq!(dump(&simulator)["policers"].as_array().unwrap().len(), 10);
    });
}

// Would break: a tester cannot see what the chip holds, or sees another chip after a reset.
#[test]
fn a_reset_empties_the_tables_under_a_new_generation() {
    isolated("socket::a_reset_empties_the_tables_under_a_new_generation", || {
        let simulator = Simulator::start(&["--ports", "2", "--personality", "tiny"]);
        let hello = || simulator.ask(&json!({ "request": "hello" }));
        let first = hello();
        assert_eq!((&first["chip_id"], &first["personality"]), (&json!("0"), &json!("tiny")));
        assert_eq!(first["ports"], 2);
        let empty = dump(&simulator);
        write(&mut simulator.connect(), Qpcr { pid: 1, cir: 100, cbs_log2: 7, ..Qpcr::default() });
        assert_ne!(dump(&simulator)["policers"], empty["policers"]);
        let output = simulator.client(&["reset", "-j"]);
        assert!(output.status.success());
        let generation = |hello: &Value| hello["generation"].as_u64().unwrap();
        assert_eq!(generation(&hello()), generation(&first) + 1);
        assert_eq!(dump(&simulator)["policers"], empty["policers"]);
        assert_eq!(dump(&simulator)["writes_total"], 0);
    });
}

// Would break: a test that wants a failure gets none, or gets it for good.
#[test]
fn faults_strike_as_told() {
    isolated("socket::faults_strike_as_told", || {
        let simulator = Simulator::start(&["--ports", "1"]);
        let add = |arguments: &str| {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            simulator.client(&[&["fault", "add"], &arguments[..]].concat())
        };
        assert!(add("--register qpcr --nth 2 --action status=8").status.success());
        let mut client = simulator.connect();
        let mut status = || {
            let qpcr = Qpcr { pid: 1, cir: 100, cbs_log2: 7, ..Qpcr::default() };
            client.send(&request(&qpcr.into())).unwrap();
            Frame::decode(&client.receive().unwrap()).unwrap().operation.status
        };
        assert_eq!(status(), Status::Ok);
        assert_ne!(status(), Status::Ok);
        assert_eq!(status(), Status::Ok);
        let output = simulator.client(&["fault", "list", "-j"]);
        let rules: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&rules[0]["register"], &rules[0]["struck"]), (&json!("qpcr"), &json!(1)));
        assert!(simulator.client(&["fault", "clear"]).status.success());
        assert_eq!(
            simulator.ask(&json!({ "request": "fault", "verb": "list" }))["faults"],
            json!([])
        );

        assert_eq!(add("--register nonsense --action drop-reply").status.code(), Some(2));
        assert_eq!(add("--register sfd --action explode").status.code(), Some(1));
        assert_eq!(simulator.client(&["fault", "clear", "77"]).status.code(), Some(2));
        // A swallowed answer is silence, not an error.
        assert!(add("--register qpcr --action drop-reply").status.success());
        let qpcr = Qpcr { pid: 2, cir: 100, cbs_log2: 7, ..Qpcr::default() };
        client.send(&request(&qpcr.into())).unwrap();
        let hello = client.ask(&json!({ "request": "hello" })).unwrap();
        assert_eq!(hello["ok"], true, "the next answer belongs to the next request");
    });
}

// Would break: people cannot read what the client verbs print, or scripts get more than one
// document.
#[test]
fn client_verbs_print_tables_and_documents() {
    isolated("socket::client_verbs_print_tables_and_documents", || {
        let simulator = Simulator::start(&["--ports", "2"]);
        program(&mut simulator.connect(), 2);
        for verb in ["dump", "counters", "resources", "ports", "hello"] {
            let output = simulator.client(&[verb, "-j"]);
            assert!(output.status.success());
            let document: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert!(document.get("ok").is_none());
            let output = simulator.client(&[verb]);
            assert!(output.status.success() && output.stdout.len() > 20, "{verb}");
        }
        let ports = simulator.client(&["ports"]);
        assert_eq!(String::from_utf8_lossy(&ports.stdout).lines().count(), 3);

        let frame = to_hex(&arp_request(1, None));
        for port in ["1", "swp1", "h1", "hwsim-0-p1"] {
            let output = simulator.client(&["trace", port, &frame, "-j"]);
            let trace: Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!(trace["port"], 1);
            assert!(!trace["steps"].as_array().unwrap().is_empty());
        }
        assert_eq!(simulator.client(&["trace", "swp9", &frame]).status.code(), Some(2));
        assert_eq!(simulator.client(&["trace", "1", "xyz"]).status.code(), Some(2));
        assert_eq!(simulator.client(&["trace", "1"]).status.code(), Some(1));
        let file = simulator.directory.path().join("frames.pcap");
        let mut pcap = hwsim::record::pcap::Pcap::create(&file).unwrap();
        pcap.frame(&arp_request(1, None));
        pcap.frame(&arp_request(1, Some(100)));
        pcap.flush();
        let output = simulator.client(&["trace", "1", "--pcap", file.to_str().unwrap(), "-j"]);
        let traces: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(traces.as_array().unwrap().len(), 2);
    });
}

// Would break: a client takes a part of a long answer for the whole.
#[test]
fn long_answers_arrive_whole() {
    isolated("socket::long_answers_arrive_whole", || {
        let simulator = Simulator::start(&["--ports", "1"]);
        let mut client = simulator.connect();
        write(&mut client, Sfmr { fid: 5000, ..Sfmr::default() });
        for block in 0..32 {
            let mac = |at| Mac([2, 0, 0, 0, block, at]);
            let records = (0..64).map(|at| SfdRecord::router(mac(at), 5000)).collect();
            write(&mut client, Sfd::new(SfdOp::WRITE_EDIT, records));
        }
        let document = client.ask(&json!({ "request": "dump" })).unwrap();
        assert!(document.to_string().len() > 64 << 10, "{}", document.to_string().len());
        assert_eq!(document["fdb"].as_array().unwrap().len(), 32 * 64);
        match client.ask(&json!({ "request": "trace", "port": 9, "frame": "" })) {
            Err(Error::Refused(error)) => assert_eq!(error, "No port 9; there are 1 to 1"),
            other => panic!("{other:?}"),
        }
    });
}
