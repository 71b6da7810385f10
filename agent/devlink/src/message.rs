//! A devlink message: a command and what it is about. One type for requests, answers and notifications, because devlink
//! has one: an answer is what the request was, with more attributes.

use netlink_packet_core::{DecodeError, Emitable, ParseableParametrized};
use netlink_packet_generic::{GenlFamily, GenlHeader};

use crate::attribute::Attributes;
use crate::device::{Dev, Eswitch, Info, Reload};
use crate::dpipe::{DpipeEntries, DpipeHeaders, DpipeTables};
use crate::fault::Fault;
use crate::handle::Handle;
use crate::health::Health;
use crate::port::Port;
use crate::resource::Resources;
use crate::trap::{Trap, TrapGroup, TrapPolicer};
use crate::value::{Nest, nest};

nest! {
    /// What a socket wants to hear of; a key that is absent passes everything, and none at all clears the filter. Objects
    /// that lack a key pass too: a port's filter does not hide devices. Since Linux 6.7; source:
    /// `devlink_nl_notify_filter_set_doit`.
    pub struct NotifyFilter: handle {
        /// Only this port.
        port: Option<u32> = 3, "DEVLINK_ATTR_PORT_INDEX";
    }
}

macro_rules! messages {
    ($($(#[$meta:meta])* $variant:ident($type:ty) = $command:literal, $uapi:literal;)*) => {
        /// A devlink message. The payload of a [`netlink_packet_generic::GenlMessage`].
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Message {
            $(
                $(#[$meta])*
                #[doc = ""]
                #[doc = concat!("`", $uapi, "` = ", $command)]
                $variant($type),
            )*
            /// A command without a type here.
            Other {
                /// `genlmsghdr.cmd`
                command: u8,
                /// What follows the generic netlink header: attributes.
                octets: Vec<u8>,
            },
        }

        impl Message {
            /// Decodes what follows the generic netlink header of a message with this command.
            ///
            /// # Errors
            ///
            /// When an attribute overruns the message, or does not have the length of its type. An attribute or a
            /// command that is not known is never an error.
            pub fn parse(command: u8, octets: &[u8]) -> Result<Self, Fault> {
                Ok(match command {
                    $($command => Self::$variant(Nest::parse_all(Attributes::new(octets))?),)*
                    command => Self::Other { command, octets: octets.to_vec() },
                })
            }

            /// The octets that follow the generic netlink header. An attribute of more than 65,531 octets is left out,
            /// since netlink cannot carry it.
            #[must_use]
            pub fn to_octets(&self) -> Vec<u8> {
                let mut out = Vec::new();
                match self {
                    $(Self::$variant(payload) => payload.append_fields(&mut out),)*
                    Self::Other { octets, .. } => out.extend_from_slice(octets),
                }
                out
            }

            /// The device it is about; `None` for a command without a type here.
            #[must_use]
            pub fn handle(&self) -> Option<&Handle> {
                match self {
                    $(Self::$variant(payload) => Some(&payload.handle),)*
                    Self::Other { .. } => None,
                }
            }

            /// The same, to be changed.
            pub fn handle_mut(&mut self) -> Option<&mut Handle> {
                match self {
                    $(Self::$variant(payload) => Some(&mut payload.handle),)*
                    Self::Other { .. } => None,
                }
            }

            fn number(&self) -> u8 {
                match self {
                    $(Self::$variant(_) => $command,)*
                    Self::Other { command, .. } => *command,
                }
            }
        }

        #[cfg(test)]
        impl Message {
            pub(crate) const COMMANDS: &'static [u8] = &[$($command,)*];

            /// A message of any content with that command.
            pub(crate) fn sample(command: u8, dice: &mut crate::sample::Dice<'_>) -> Self {
                match command {
                    $($command => Self::$variant(crate::sample::Sample::sample(dice)),)*
                    command => Self::Other { command, octets: crate::sample::octets(dice) },
                }
            }
        }
    };
}

messages! {
    /// Asks for a device, or dumps all.
    DevGet(Dev) = 1, "DEVLINK_CMD_GET";
    /// A device: an answer, or it is new, or changed.
    DevNew(Dev) = 3, "DEVLINK_CMD_NEW";
    /// A device is gone.
    DevDel(Dev) = 4, "DEVLINK_CMD_DEL";
    /// Asks for a port, or dumps all.
    PortGet(Port) = 5, "DEVLINK_CMD_PORT_GET";
    /// Sets the type or the function of a port.
    PortSet(Port) = 6, "DEVLINK_CMD_PORT_SET";
    /// A port: an answer, or it is new, or changed; as a request, makes a subfunction's port.
    PortNew(Port) = 7, "DEVLINK_CMD_PORT_NEW";
    /// A port is gone; as a request, removes a subfunction's port.
    PortDel(Port) = 8, "DEVLINK_CMD_PORT_DEL";
    /// Asks how a device forwards between its functions; also the answer.
    EswitchGet(Eswitch) = 29, "DEVLINK_CMD_ESWITCH_GET";
    /// Says how a device shall forward between its functions.
    EswitchSet(Eswitch) = 30, "DEVLINK_CMD_ESWITCH_SET";
    /// Asks for the tables of the pipeline; also the answer.
    DpipeTableGet(DpipeTables) = 31, "DEVLINK_CMD_DPIPE_TABLE_GET";
    /// Asks for the entries of a table; also the answer.
    DpipeEntriesGet(DpipeEntries) = 32, "DEVLINK_CMD_DPIPE_ENTRIES_GET";
    /// Asks for the headers of the pipeline; also the answer.
    DpipeHeadersGet(DpipeHeaders) = 33, "DEVLINK_CMD_DPIPE_HEADERS_GET";
    /// Says whether the entries of a table count.
    DpipeTableCountersSet(DpipeTables) = 34, "DEVLINK_CMD_DPIPE_TABLE_COUNTERS_SET";
    /// Says how large a resource shall be after the next reload.
    ResourceSet(Resources) = 35, "DEVLINK_CMD_RESOURCE_SET";
    /// Asks for resources; also the answer.
    ResourceDump(Resources) = 36, "DEVLINK_CMD_RESOURCE_DUMP";
    /// Reloads a device; also the answer, if the request had an action or limits.
    Reload(Reload) = 37, "DEVLINK_CMD_RELOAD";
    /// Asks for the versions of a device, or dumps all; also the answer.
    InfoGet(Info) = 51, "DEVLINK_CMD_INFO_GET";
    /// Asks for a health reporter, or dumps all; also the answer.
    HealthReporterGet(Health) = 52, "DEVLINK_CMD_HEALTH_REPORTER_GET";
    /// A health reporter changed its state; as a request, recovers.
    HealthReporterRecover(Health) = 54, "DEVLINK_CMD_HEALTH_REPORTER_RECOVER";
    /// Asks for a trap, or dumps all.
    TrapGet(Trap) = 61, "DEVLINK_CMD_TRAP_GET";
    /// Sets the action of a trap.
    TrapSet(Trap) = 62, "DEVLINK_CMD_TRAP_SET";
    /// A trap: an answer, or it is new.
    TrapNew(Trap) = 63, "DEVLINK_CMD_TRAP_NEW";
    /// A trap is gone.
    TrapDel(Trap) = 64, "DEVLINK_CMD_TRAP_DEL";
    /// Asks for a trap group, or dumps all.
    TrapGroupGet(TrapGroup) = 65, "DEVLINK_CMD_TRAP_GROUP_GET";
    /// Sets the policer of a trap group, or the action of its traps.
    TrapGroupSet(TrapGroup) = 66, "DEVLINK_CMD_TRAP_GROUP_SET";
    /// A trap group: an answer, or it is new.
    TrapGroupNew(TrapGroup) = 67, "DEVLINK_CMD_TRAP_GROUP_NEW";
    /// A trap group is gone.
    TrapGroupDel(TrapGroup) = 68, "DEVLINK_CMD_TRAP_GROUP_DEL";
    /// Asks for a trap policer, or dumps all.
    TrapPolicerGet(TrapPolicer) = 69, "DEVLINK_CMD_TRAP_POLICER_GET";
    /// Sets rate and burst of a trap policer.
    TrapPolicerSet(TrapPolicer) = 70, "DEVLINK_CMD_TRAP_POLICER_SET";
    /// A trap policer: an answer, or it is new.
    TrapPolicerNew(TrapPolicer) = 71, "DEVLINK_CMD_TRAP_POLICER_NEW";
    /// A trap policer is gone.
    TrapPolicerDel(TrapPolicer) = 72, "DEVLINK_CMD_TRAP_POLICER_DEL";
    /// Says which notifications this socket wants.
    NotifyFilterSet(NotifyFilter) = 84, "DEVLINK_CMD_NOTIFY_FILTER_SET";
}

impl GenlFamily for Message {
    fn family_name() -> &'static str {
        crate::FAMILY
    }

    fn command(&self) -> u8 {
        self.number()
    }

    fn version(&self) -> u8 {
        crate::VERSION
    }
}

impl Emitable for Message {
    fn buffer_len(&self) -> usize {
        self.to_octets().len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        let octets = self.to_octets();
        buffer[..octets.len()].copy_from_slice(&octets);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Message {
    fn parse_with_param(octets: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self::parse(header.cmd, octets)?)
    }
}
