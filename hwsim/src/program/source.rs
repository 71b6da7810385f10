//! What the loop waits for: a kind and a number, as epoll carries them.

use crate::chip::LocalPort;

/// What the loop waits for, as epoll carries it: a kind and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Signal,
    Carrier,
    Listener,
    Client(u32),
    Wire(LocalPort),
    Cpu(LocalPort),
}

impl Source {
    pub(super) fn token(self) -> u64 {
        let (kind, number) = match self {
            Source::Signal => (0, 0),
            Source::Carrier => (1, 0),
            Source::Listener => (2, 0),
            Source::Client(number) => (3, number),
            Source::Wire(port) => (4, u32::from(port.0)),
            Source::Cpu(port) => (5, u32::from(port.0)),
        };
        kind << 32 | u64::from(number)
    }

    pub(super) fn of(token: u64) -> Option<Source> {
        let number = u32::try_from(token & u64::from(u32::MAX)).ok()?;
        let port = || u16::try_from(number).ok().map(LocalPort);
        Some(match token >> 32 {
            0 => Source::Signal,
            1 => Source::Carrier,
            2 => Source::Listener,
            3 => Source::Client(number),
            4 => Source::Wire(port()?),
            5 => Source::Cpu(port()?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Fails if an event is taken for one of another source.
    #[test]
    fn sources_survive_the_way_through_epoll() {
        for source in [
            Source::Signal,
            Source::Carrier,
            Source::Listener,
            Source::Client(u32::MAX),
            Source::Wire(LocalPort(1023)),
            Source::Cpu(LocalPort(1)),
        ] {
            assert_eq!(Source::of(source.token()), Some(source));
        }
        assert_eq!(Source::of(u64::MAX), None);
    }
}
