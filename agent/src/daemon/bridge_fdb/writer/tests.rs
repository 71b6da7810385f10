use std::io::Write as _;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use nix::sched::{CloneFlags, unshare};
use tokio::task::LocalSet;

use super::*;

const HOST: Mac = Mac([2, 0, 0, 0, 0, 0x99]);

/// A bridge `br0` with the members `p1` and `p2`, in a network namespace of its own.
struct Stage {
    tables: Tables,
}

fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program).args(arguments.split_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn on_stage(test: impl AsyncFnOnce(&mut Stage) + Send + 'static) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let run = move || {
        if let Err(errno) = unshare(CloneFlags::CLONE_NEWNET) {
            writeln!(std::io::stderr(), "SKIPPED {name}: unshare(CLONE_NEWNET): {errno}").unwrap();
            return;
        }
        run("ip", "link add br0 type bridge");
        run("ip", "link set br0 up");
        for member in ["p1", "p2"] {
            run("ip", &format!("link add {member} type veth peer name {member}-far"));
            run("ip", &format!("link set {member} master br0"));
            run("ip", &format!("link set {member} up"));
            run("ip", &format!("link set {member}-far up"));
        }
        // the kernel notices a carrier later, and takes no learnt entries for a member before
        let limit = Instant::now() + Duration::from_secs(5);
        while run("bridge", "link show").matches("state forwarding").count() < 2 {
            assert!(Instant::now() < limit, "the members of br0 do not forward");
            thread::sleep(Duration::from_millis(1));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(LocalSet::new().run_until(async {
            test(&mut Stage { tables: Tables::default() }).await;
        }));
    };
    if let Err(panic) = thread::spawn(run).join() {
        std::panic::resume_unwind(panic);
    }
}

fn index(name: &str) -> IfIndex {
    IfIndex(if_nametoindex(name).unwrap())
}

fn row() -> Row {
    Row { bridge: index("br0"), vlan: None, mac: HOST }
}

impl Stage {
    async fn carry_out(&mut self, job: Job) -> Result<Found, Refusal> {
        self.tables.carry_out(row(), job).await
    }

    /// What `bridge fdb` prints about the host, without its line feed.
    fn shown(&self) -> String {
        let all = run("bridge", "fdb show br br0");
        let lines = all.lines().filter(|line| line.starts_with(&HOST.to_string()));
        let lines = lines.filter(|line| !line.contains(" vlan "));
        lines.map(|line| line.trim().trim_start_matches(&HOST.to_string()).trim()).collect()
    }
}

// Broken if Linux flooded frames to a host that the chip knows, or a host that moved stayed where it was.
#[test]
fn a_learnt_mac_is_there_until_it_is_forgotten() {
    on_stage(async |stage: &mut Stage| {
        let (p1, p2) = (index("p1"), index("p2"));
        assert_eq!(stage.carry_out(Job::Learn(p1)).await, Ok(Found::Free));
        assert_eq!(stage.shown(), "dev p1 extern_learn master br0");
        assert_eq!(stage.carry_out(Job::Learn(p2)).await, Ok(Found::External(p1)));
        assert_eq!(stage.shown(), "dev p2 extern_learn master br0");
        stage.carry_out(Job::Forget(p1)).await.unwrap();
        assert_eq!(stage.shown(), "dev p2 extern_learn master br0", "it moved away from p1");
        stage.carry_out(Job::Forget(p2)).await.unwrap();
        assert_eq!(stage.shown(), "");
        assert_eq!(stage.carry_out(Job::Forget(p2)).await, Ok(Found::Free));
    });
}

// Broken if a host's entry replaced, moved or removed what an operator or the bridge itself put there.
#[test]
fn what_is_there_to_stay_stays() {
    on_stage(async |stage: &mut Stage| {
        let (p1, p2) = (index("p1"), index("p2"));
        for entry in ["dev p2 master static", "dev br0 self local", "dev p2 master local"] {
            run("bridge", &format!("fdb replace {HOST} {entry}"));
            let before = stage.shown();
            for job in [Job::Learn(p1), Job::Learn(p2), Job::Forget(p1), Job::Forget(p2)] {
                stage.carry_out(job).await.unwrap();
                assert_eq!(stage.shown(), before, "{job:?}");
            }
            let end = if entry.contains("self") { "dev br0 self" } else { "dev p2 master" };
            run("bridge", &format!("fdb del {HOST} {end}"));
        }
        run("bridge", &format!("fdb replace {HOST} dev p2 master dynamic"));
        stage.carry_out(Job::Forget(p2)).await.unwrap();
        assert_eq!(stage.shown(), "dev p2 master br0", "the bridge learnt it by itself");
    });
}

// Broken if a router MAC that was learnt stayed behind a member, or its entry could not be told from a host's.
#[test]
fn a_router_mac_replaces_what_was_learnt() {
    on_stage(async |stage: &mut Stage| {
        for entry in ["dev p1 master dynamic", "dev p1 master extern_learn dynamic"] {
            run("bridge", &format!("fdb replace {HOST} {entry}"));
            stage.carry_out(Job::Hold).await.unwrap();
            assert_eq!(stage.shown(), "dev br0 master br0 permanent", "after {entry}");
            let again = stage.carry_out(Job::Hold).await;
            assert_eq!(again, Ok(Found::Local(index("br0"))));
            stage.carry_out(Job::Release).await.unwrap();
            assert_eq!(stage.shown(), "");
        }
        assert_eq!(stage.carry_out(Job::Release).await, Ok(Found::Free));
    });
}

// Broken if the bridge still learnt a router's MAC from a frame that another router sent with it.
#[test]
fn a_router_mac_is_not_learnt() {
    on_stage(async |stage: &mut Stage| {
        stage.carry_out(Job::Hold).await.unwrap();
        run("ip", &format!("link set p1-far address {HOST}"));
        run("ip", "addr add 192.0.2.1/24 brd + dev p1-far");
        let host = std::net::UdpSocket::bind("192.0.2.1:0").unwrap();
        host.set_broadcast(true).unwrap();
        host.send_to(b"from the virtual MAC", "192.0.2.255:9").unwrap();
        assert_eq!(stage.shown(), "dev br0 master br0 permanent");
        stage.carry_out(Job::Release).await.unwrap();
        host.send_to(b"from the virtual MAC", "192.0.2.255:9").unwrap();
        assert_eq!(stage.shown(), "dev p1 master br0", "a backup's MAC is learnt");
    });
}

// Broken if removing a router MAC took away the address of a member or what is static.
#[test]
fn only_the_bridges_own_entry_is_released() {
    on_stage(async |stage: &mut Stage| {
        for entry in ["dev p1 master local", "dev p1 master static"] {
            run("bridge", &format!("fdb replace {HOST} {entry}"));
            let before = stage.shown();
            stage.carry_out(Job::Hold).await.unwrap();
            stage.carry_out(Job::Release).await.unwrap();
            assert_eq!(stage.shown(), before);
        }
    });
}

// Broken if a sweep could not see what an earlier daemon left, or took other entries for it.
#[test]
fn a_dump_finds_what_was_learnt_externally() {
    on_stage(async |stage: &mut Stage| {
        run("ip", "link add other type bridge");
        run("ip", "link add o1 type veth peer name o1-far");
        run("ip", "link set o1 master other");
        run("bridge", "fdb replace 02:00:00:00:00:01 dev p1 master extern_learn dynamic");
        run("bridge", "fdb replace 02:00:00:00:00:02 dev p2 master dynamic");
        run("bridge", "fdb replace 02:00:00:00:00:03 dev p2 master static");
        run("bridge", "fdb replace 02:00:00:00:00:04 dev o1 master extern_learn dynamic");
        stage.carry_out(Job::Learn(index("p2"))).await.unwrap();
        let bridges = BTreeSet::from([index("br0")]);
        let mut found = stage.tables.external(&bridges).await.unwrap();
        // where the kernel has VLANs, it copies each into the default one
        found.retain(|(row, _)| row.vlan.is_none());
        found.sort();
        let first = Row { mac: Mac([2, 0, 0, 0, 0, 1]), ..row() };
        assert_eq!(found, [(first, index("p1")), (row(), index("p2"))]);
    });
}

// Broken if a bridge or member that is gone were an error to tell somebody about.
#[test]
fn devices_that_are_gone() {
    on_stage(async |stage: &mut Stage| {
        let (p1, gone) = (index("p1"), Row { bridge: IfIndex(999), ..row() });
        run("ip", "link del p1");
        assert_eq!(stage.carry_out(Job::Learn(p1)).await, Err(Refusal::Absent));
        for job in [Job::Look, Job::Hold, Job::Release] {
            assert_eq!(stage.tables.carry_out(gone, job).await, Err(Refusal::Absent));
        }
    });
}
