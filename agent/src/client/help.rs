//! How is the client used? One text for the program and one for each object.

use super::grammar::Object;

const PROGRAM: &str = "\
Usage: firsthop [OPTIONS] OBJECT [show] [SELECTOR...]
       firsthop OBJECT help

OBJECT:
  rif       router interfaces: which netdevs the chip routes for
  vmac      virtual MACs: macvlans, and whether the chip accepts their frames
  route     routes: what the chip does with packets to each prefix, and why
  neigh     hosts on links, and whether the chip sends to them by itself
  trap      packet classes that go to the CPU, their groups and policers
  port      the chip's ports and their netdevs
  resource  how full the chip's tables are
  status    whether the agent is in step with the kernel and the chip
  diff      kernel, intended and hardware, where they differ
  explain   why one device or route is or is not in the chip
  monitor   changes as they happen
  wait      until the chip acknowledged something
  doctor    what may keep the agent or the protocols from working
  metrics   numbers for Prometheus, as OpenMetrics text
  check     what can't work as it is, or what a configuration file would change
  support   one archive with everything that somebody needs who is to help

OPTIONS (before the object):
  -j, --json       one JSON document      -p, --pretty     with line feeds
  -s, --stats      with counters          -d, --details    with more details
  -br, --brief     columns                -t, --timestamp  monitor: with times
  -c, --color[=auto|always|never]  colours: never, if nothing is said
  -n, --netns NAME   ask the daemon of this network namespace
  --socket PATH      ask the daemon at this socket
  --state FILE       ask nobody: read what `support` saved
  --emad-pcap FILE   diff: compare with a recording of register traffic
  -h, --help         this text            -V, --version    the version

Words may be shortened as long as they are unambiguous.
Exit codes: 0 ok, 1 usage, 2 refused, 3 found something (diff, check, doctor)
or missing in the chip (explain), 4 daemon not reachable, 5 time-out.
";

/// The text for an object, or for the program.
pub(super) const fn of(topic: Option<Object>) -> &'static str {
    match topic {
        None => PROGRAM,
        Some(Object::Rif) => "Usage: firsthop rif [show] [dev NAME]\n",
        Some(Object::Vmac) => "Usage: firsthop vmac [show] [dev NAME] [lower NAME] [vrid N]\n",
        Some(Object::Trap) => {
            "Usage: firsthop [-s] [-d] trap [show] [HANDLE] [SELECTOR...]\n       \
             firsthop [-s] trap { group | policer } [show] [HANDLE] [SELECTOR...]\n       \
             firsthop [-j] [-t] trap monitor [HANDLE] [SELECTOR...]\n\
             SELECTOR: trap NAME, group NAME, policer N.\n\
             HANDLE: hwsim/ID of a simulated chip, or as `devlink dev` lists it.\n"
        }
        Some(Object::Route) => {
            "Usage: firsthop route [show] [dev NAME] [table TABLE | vrf NAME] [PREFIX]\n       \
             firsthop route get ADDRESS [table TABLE | vrf NAME]\n\
             TABLE: a number, main, local or default. PREFIX: exactly this one, or `default`.\n\
             At the end of a line: offload, trap (to the CPU) or another state, and why.\n"
        }
        Some(Object::Neigh) => "Usage: firsthop neigh [show] [dev NAME] [ADDRESS]\n",
        Some(Object::Port) => "Usage: firsthop port [show] [dev NAME]\n",
        Some(Object::Resource) => "Usage: firsthop resource [show]\n",
        Some(Object::Status) => "Usage: firsthop status [show]\n",
        Some(Object::Diff) => {
            "Usage: firsthop diff [show] [--emad-pcap FILE]\n\
             Exit code 3 if there are differences.\n\
             --emad-pcap FILE: compares with a recording of the chip's register traffic\n\
             instead of the chip. With -j also the chip's tables as recorded, with -d what\n\
             was in the file.\n"
        }
        Some(Object::Explain) => {
            "Usage: firsthop explain [dev] DEV\n       \
             firsthop explain [route] PREFIX [table TABLE | vrf NAME]\n\
             An address alone stands for the most specific prefix with it.\n\
             Exit code 3 if the device or route should be in the chip and is not.\n"
        }
        Some(Object::Monitor) => {
            "Usage: firsthop [-j] [-t] monitor [all | OBJECT...]\n\
             OBJECT: kernel (what the kernel said), rif, vmac, hw (what was written).\n\
             Without one: rif and vmac. `event` numbers the kernel's event that a line\n\
             follows from.\n"
        }
        Some(Object::Wait) => {
            "Usage: firsthop wait { synced | audited } [timeout SECONDS]\n       \
             firsthop wait { vmac | rif } dev NAME { state STATE | gone }\n       \
             \x20             [timeout SECONDS]\n\
             STATE: offload, pending, failed, refused, held, not_offloaded\n\
             Exit code 5 if it does not come about in time (20 s if nothing is said).\n"
        }
        Some(Object::Doctor) => "Usage: firsthop doctor [show]\nExit code 3 if a check failed.\n",
        Some(Object::Metrics) => "Usage: firsthop metrics [show]\n",
        Some(Object::Check) => {
            "Usage: firsthop check [FILE]\n\
             FILE: a configuration for the running daemon; what would change under it, and\n\
             what of it is about nothing that is there. Nothing is written.\n\
             Exit code 3 if anything is found.\n"
        }
        Some(Object::Support) => {
            "Usage: firsthop support [FILE]\n\
             Without FILE: firsthop-support-HOST-TIME.tar.gz. Its path is printed. An archive\n\
             that is there already is left alone. `firsthop --state FILE OBJECT` reads it.\n\
             Exit code 4 if the daemon could not be asked; the archive then has what the\n\
             kernel and the journal say.\n"
        }
    }
}
