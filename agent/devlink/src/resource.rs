//! Resources: how large are the tables of a device, and how full?

use crate::value::{codes, nest};

codes! {
    /// What a resource is counted in.
    pub enum ResourceUnit: u8 {
        /// Entries.
        Entry = 0 "entry", "DEVLINK_RESOURCE_UNIT_ENTRY";
    }
}

nest! {
    /// The resources of a device, and a request to set the size of one; sources: `devlink_resource_fill`,
    /// `devlink_nl_resource_set_doit`. A size that was set counts from the next reload on.
    pub struct Resources: handle {
        /// The port they belong to; since Linux 7.3, and absent for those of the device.
        port: Option<u32> = 3, "DEVLINK_ATTR_PORT_INDEX";
        /// In a request to set a size: which resource.
        id: Option<u64> = 66, "DEVLINK_ATTR_RESOURCE_ID";
        /// In a request to set a size: how many units.
        size: Option<u64> = 67, "DEVLINK_ATTR_RESOURCE_SIZE";
        /// In a request for a dump: bit 0 of devices, bit 1 of ports; since Linux 7.3.
        scope: Option<u32> = 185, "DEVLINK_ATTR_RESOURCE_SCOPE_MASK";
        /// In an answer: the resources.
        list: Option<ResourceList> = 63, "DEVLINK_ATTR_RESOURCE_LIST";
    }
}

nest! {
    /// Resources beside each other.
    pub struct ResourceList {
        /// They, in the driver's order.
        resources: Vec<Resource> = 64, "DEVLINK_ATTR_RESOURCE";
    }
}

nest! {
    /// A resource; source: `devlink_resource_put`. Sizes and occupancy are in units; 2^64-1 is without limit.
    pub struct Resource {
        /// Its name.
        name: Option<String> = 65, "DEVLINK_ATTR_RESOURCE_NAME";
        /// Its size now.
        size: Option<u64> = 67, "DEVLINK_ATTR_RESOURCE_SIZE";
        /// Its number, the driver's choice.
        id: Option<u64> = 66, "DEVLINK_ATTR_RESOURCE_ID";
        /// Its size after the next reload; absent when that is no other.
        size_new: Option<u64> = 68, "DEVLINK_ATTR_RESOURCE_SIZE_NEW";
        /// How much of it is used, if the driver knows.
        occupancy: Option<u64> = 74, "DEVLINK_ATTR_RESOURCE_OCC";
        /// Sizes are multiples of it.
        granularity: Option<u64> = 72, "DEVLINK_ATTR_RESOURCE_SIZE_GRAN";
        /// The largest size.
        size_max: Option<u64> = 71, "DEVLINK_ATTR_RESOURCE_SIZE_MAX";
        /// The smallest size.
        size_min: Option<u64> = 70, "DEVLINK_ATTR_RESOURCE_SIZE_MIN";
        /// What it is counted in.
        unit: Option<ResourceUnit> = 73, "DEVLINK_ATTR_RESOURCE_UNIT";
        /// The sizes of its parts fit into it.
        size_valid: Option<bool> = 69, "DEVLINK_ATTR_RESOURCE_SIZE_VALID";
        /// Its parts.
        children: Option<ResourceList> = 63, "DEVLINK_ATTR_RESOURCE_LIST";
    }
}
