//! netdevsim devices of this process: made, and deleted again however the process ends.
//!
//! The kernel keeps such a device until somebody deletes it. So a second process, the guard, waits for the end
//! of a pipe whose other end this process holds, and deletes what was not deleted by then:
//!
//! ```text
//!   hwsim run ── "+20001" "+20002" … "-20001" "-20002" ──pipe──▶ hwsim netdevsim-guard
//!       └ killed: the pipe ends ───────────────────────────────────▶ deletes 20001, 20002
//! ```
//! Nobody else's devices are ever deleted. Only when both processes are killed at once (the end of a pid
//! namespace) do devices stay.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, Write};
use std::os::fd::RawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::SigSet;

use crate::error::Error;

/// The netdevsim bus.
const BUS: &str = "/sys/bus/netdevsim";

/// Numbers from here on, far from those that people and other tests use.
const FIRST_ID: u32 = 20_000;

/// So many numbers are tried.
const IDS: u32 = 10_000;

/// The verb of the program that is the guard.
pub const GUARD: &str = "netdevsim-guard";

/// The device's name in sysfs, and as `IFLA_PARENT_DEV_NAME`.
pub(super) fn name(id: u32) -> String {
    format!("netdevsim{id}")
}

/// Whether netdevsim can be used at all.
///
/// # Errors
/// [`Error::Unsupported`] with what to do.
pub fn check() -> Result<(), Error> {
    let file = Path::new(BUS).join("new_device");
    match OpenOptions::new().write(true).open(&file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::Unsupported(format!(
            "The kernel has no netdevsim ({BUS} is missing): load it (modprobe netdevsim), run in \
             selftests/uml, or use --cpu tap"
        ))),
        Err(error) => Err(Error::Unsupported(format!(
            "netdevsim cannot be used ({}: {error}): it takes the machine's root and a writable \
             /sys; or use --cpu tap",
            file.display()
        ))),
    }
}

fn write(file: &str, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(Path::new(BUS).join(file))?.write_all(text.as_bytes())
}

/// Makes the two ports the ends of one link; both in the namespace whose descriptor is given.
pub(super) fn link_ports(namespace: RawFd, one: u32, other: u32) -> io::Result<()> {
    write("link_device", &format!("{namespace}:{one} {namespace}:{other}"))
}

fn delete(id: u32) -> io::Result<()> {
    match write("del_device", &id.to_string()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Devices that exist; dropped, they are deleted.
#[derive(Debug)]
pub struct Devices {
    ids: Vec<u32>,
    guard: Child,
    /// Where the devlink instances are; without it they would move to the first namespace of the machine.
    _home: File,
}

impl Devices {
    /// None yet, and a guard that waits for them.
    pub(super) fn guarded(home: File) -> Result<Devices, Error> {
        let guard = Command::new("/proc/self/exe")
            .arg(GUARD)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0) // a terminal's Ctrl-C is not for the guard
            .spawn()
            .map_err(|source| Error::Kernel { what: format!("start {GUARD}"), source })?;
        Ok(Devices { ids: Vec::new(), guard, _home: home })
    }

    /// Makes a device with so many ports in the calling thread's network namespace: its number.
    pub(super) fn add(&mut self, ports: u16) -> Result<u32, Error> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| Error::Kernel { what, source }
        };
        let taken: BTreeSet<String> = std::fs::read_dir(Path::new(BUS).join("devices"))
            .map_err(failed("list netdevsim devices"))?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        for id in (FIRST_ID..FIRST_ID + IDS).filter(|id| !taken.contains(&name(*id))) {
            match write("new_device", &format!("{id} {ports}")) {
                // Somebody was faster.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                Err(error) => return Err(failed("make a netdevsim device")(error)),
                Ok(()) => {
                    self.ids.push(id);
                    self.tell(&format!("+{id}\n"));
                    return Ok(id);
                }
            }
        }
        Err(failed("make a netdevsim device")(io::Error::from_raw_os_error(libc::EEXIST)))
    }

    fn tell(&mut self, line: &str) {
        let pipe = self.guard.stdin.as_mut().expect("spawned with a pipe");
        if let Err(error) = pipe.write_all(line.as_bytes()) {
            tracing::warn!(%error, "Nobody would delete the netdevsim devices after a kill");
        }
    }
}

impl Drop for Devices {
    fn drop(&mut self) {
        for id in std::mem::take(&mut self.ids) {
            match delete(id) {
                Ok(()) => self.tell(&format!("-{id}\n")),
                Err(error) => tracing::warn!(id, %error, "netdevsim device not deleted"),
            }
        }
        drop(self.guard.stdin.take());
        if let Err(error) = self.guard.wait() {
            tracing::debug!(%error, "The guard's end is not known");
        }
    }
}

/// The guard: reads until its standard input ends, then deletes what is left.
///
/// # Errors
/// When a device cannot be deleted.
pub fn guard() -> Result<(), Error> {
    // Whatever ends the simulator by a signal to all must not end this before its work.
    if let Err(error) = SigSet::all().thread_block() {
        tracing::debug!(%error, "Signals are not blocked");
    }
    let mut last = Ok(());
    for id in left_over(io::stdin().lock()) {
        last = delete(id);
    }
    last.map_err(|source| Error::Kernel { what: "delete a netdevsim device".into(), source })
}

/// What was added and not taken back.
fn left_over(lines: impl BufRead) -> BTreeSet<u32> {
    let mut ids = BTreeSet::new();
    for line in lines.lines().map_while(Result::ok) {
        match line.split_at_checked(1) {
            Some(("+", id)) => ids.extend(id.parse::<u32>()),
            Some(("-", id)) => _ = id.parse().is_ok_and(|id: u32| ids.remove(&id)),
            _ => {}
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if the guard deletes a device that was deleted already, and that is somebody else's by now.
    #[test]
    fn only_what_was_not_taken_back_is_left() {
        let said = "+20000\n+20001\n-20000\n+junk\n\n-7\n+2000\n";
        assert_eq!(left_over(said.as_bytes()), BTreeSet::from([2000, 20_001]));
        assert_eq!(left_over(&b""[..]), BTreeSet::new());
    }
}
