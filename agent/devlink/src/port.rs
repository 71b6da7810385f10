//! Ports of a device: which kind, which netdev, which number on the front?

use crate::handle::NestedDevice;
use crate::value::{Bitfield32, Octets, codes, nest};

codes! {
    /// What a port talks.
    pub enum PortType: u16 {
        /// Nothing yet: it is being made, or its reload failed.
        NotSet = 0 "notset", "DEVLINK_PORT_TYPE_NOTSET";
        /// Whatever the other side does.
        Auto = 1 "auto", "DEVLINK_PORT_TYPE_AUTO";
        /// Ethernet.
        Eth = 2 "eth", "DEVLINK_PORT_TYPE_ETH";
        /// InfiniBand.
        Ib = 3 "ib", "DEVLINK_PORT_TYPE_IB";
    }
}

codes! {
    /// What a port is.
    pub enum PortFlavour: u16 {
        /// One with a connector.
        Physical = 0 "physical", "DEVLINK_PORT_FLAVOUR_PHYSICAL";
        /// To the host's processor.
        Cpu = 1 "cpu", "DEVLINK_PORT_FLAVOUR_CPU";
        /// Between the switches of a tree.
        Dsa = 2 "dsa", "DEVLINK_PORT_FLAVOUR_DSA";
        /// A PCI physical function.
        PciPf = 3 "pcipf", "DEVLINK_PORT_FLAVOUR_PCI_PF";
        /// A PCI virtual function.
        PciVf = 4 "pcivf", "DEVLINK_PORT_FLAVOUR_PCI_VF";
        /// A virtual port.
        Virtual = 5 "virtual", "DEVLINK_PORT_FLAVOUR_VIRTUAL";
        /// Not used on this board.
        Unused = 6 "unused", "DEVLINK_PORT_FLAVOUR_UNUSED";
        /// A PCI subfunction.
        PciSf = 7 "pcisf", "DEVLINK_PORT_FLAVOUR_PCI_SF";
    }
}

codes! {
    /// Whether a port function is wanted.
    pub enum FunctionState: u8 {
        /// It is not.
        Inactive = 0 "inactive", "DEVLINK_PORT_FN_STATE_INACTIVE";
        /// It is.
        Active = 1 "active", "DEVLINK_PORT_FN_STATE_ACTIVE";
    }
}

codes! {
    /// Whether a driver has a port function.
    pub enum FunctionOpstate: u8 {
        /// None has.
        Detached = 0 "detached", "DEVLINK_PORT_FN_OPSTATE_DETACHED";
        /// One has.
        Attached = 1 "attached", "DEVLINK_PORT_FN_OPSTATE_ATTACHED";
    }
}

nest! {
    /// A port; source: `devlink_nl_port_fill`.
    pub struct Port: handle {
        /// Its number in the device, which stays over reloads.
        index: Option<u32> = 3, "DEVLINK_ATTR_PORT_INDEX";
        /// What it talks.
        port_type: Option<PortType> = 4, "DEVLINK_ATTR_PORT_TYPE";
        /// What it shall talk, if that was said.
        desired_type: Option<PortType> = 5, "DEVLINK_ATTR_PORT_DESIRED_TYPE";
        /// Its netdev, if that is in the asker's network namespace. A reload gives it another one.
        netdev_ifindex: Option<u32> = 6, "DEVLINK_ATTR_PORT_NETDEV_IFINDEX";
        /// The name of that netdev.
        netdev_name: Option<String> = 7, "DEVLINK_ATTR_PORT_NETDEV_NAME";
        /// Its InfiniBand device.
        ibdev_name: Option<String> = 8, "DEVLINK_ATTR_PORT_IBDEV_NAME";
        /// Serial lanes.
        lanes: Option<u32> = 147, "DEVLINK_ATTR_PORT_LANES";
        /// Whether it can be split.
        splittable: Option<bool> = 148, "DEVLINK_ATTR_PORT_SPLITTABLE";
        /// What it is.
        flavour: Option<PortFlavour> = 77, "DEVLINK_ATTR_PORT_FLAVOUR";
        /// The controller that a PCI function belongs to.
        controller: Option<u32> = 150, "DEVLINK_ATTR_PORT_CONTROLLER_NUMBER";
        /// Number of the PCI physical function.
        pf: Option<u16> = 127, "DEVLINK_ATTR_PORT_PCI_PF_NUMBER";
        /// Number of the PCI virtual function.
        vf: Option<u16> = 128, "DEVLINK_ATTR_PORT_PCI_VF_NUMBER";
        /// Number of the PCI subfunction.
        sf: Option<u32> = 164, "DEVLINK_ATTR_PORT_PCI_SF_NUMBER";
        /// The function belongs to another host.
        external: Option<bool> = 149, "DEVLINK_ATTR_PORT_EXTERNAL";
        /// Number on the front; only physical, CPU and DSA ports have one.
        number: Option<u32> = 78, "DEVLINK_ATTR_PORT_NUMBER";
        /// The number of the port that this one was split from.
        split_group: Option<u32> = 10, "DEVLINK_ATTR_PORT_SPLIT_GROUP";
        /// Which part of that one.
        split_subport: Option<u32> = 79, "DEVLINK_ATTR_PORT_SPLIT_SUBPORT_NUMBER";
        /// What is behind it.
        function: Option<PortFunction> = 145, "DEVLINK_ATTR_PORT_FUNCTION";
        /// The line card it is on.
        linecard: Option<u32> = 171, "DEVLINK_ATTR_LINECARD_INDEX";
    }
}

nest! {
    /// The function behind a port. Its attributes have numbers of their own.
    pub struct PortFunction {
        /// Hardware address: 6 octets on Ethernet, 20 on InfiniBand.
        hw_addr: Option<Octets> = 1, "DEVLINK_PORT_FUNCTION_ATTR_HW_ADDR";
        /// Whether it is wanted.
        state: Option<FunctionState> = 2, "DEVLINK_PORT_FN_ATTR_STATE";
        /// Whether a driver has it.
        opstate: Option<FunctionOpstate> = 3, "DEVLINK_PORT_FN_ATTR_OPSTATE";
        /// Bit 0 RoCE, 1 migratable, 2 IPsec crypto, 3 IPsec packet (`enum devlink_port_fn_attr_cap`).
        caps: Option<Bitfield32> = 4, "DEVLINK_PORT_FN_ATTR_CAPS";
        /// The device that the function is.
        device: Option<NestedDevice> = 5, "DEVLINK_PORT_FN_ATTR_DEVLINK";
        /// Event queues at most.
        max_io_eqs: Option<u32> = 6, "DEVLINK_PORT_FN_ATTR_MAX_IO_EQS";
    }
}
