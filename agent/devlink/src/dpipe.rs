//! The pipeline: which tables does a device look into, by which header fields, and what is in them?
//!
//! All three questions are answered in several messages, each with a part of the list, and then a DONE without payload.

use crate::value::{Octets, codes, nest};

codes! {
    /// How a field is compared.
    pub enum MatchType: u32 {
        /// All its bits, or those of a mask.
        FieldExact = 0 "field_exact", "DEVLINK_DPIPE_MATCH_TYPE_FIELD_EXACT";
    }
}

codes! {
    /// What is done to a field.
    pub enum ActionType: u32 {
        /// It is overwritten.
        FieldModify = 0 "field_modify", "DEVLINK_DPIPE_ACTION_TYPE_FIELD_MODIFY";
    }
}

codes! {
    /// What the value of a field stands for.
    pub enum FieldMapping: u32 {
        /// Nothing else.
        None = 0 "none", "DEVLINK_DPIPE_FIELD_MAPPING_TYPE_NONE";
        /// An ifindex.
        Ifindex = 1 "ifindex", "DEVLINK_DPIPE_FIELD_MAPPING_TYPE_IFINDEX";
    }
}

codes! {
    /// Headers that every driver numbers alike; others have numbers of the driver's own.
    pub enum GlobalHeader: u32 {
        /// Field 0 is the destination MAC (`DEVLINK_DPIPE_FIELD_ETHERNET_DST_MAC`).
        Ethernet = 0 "ethernet", "DEVLINK_DPIPE_HEADER_ETHERNET";
        /// Field 0 is the destination address (`DEVLINK_DPIPE_FIELD_IPV4_DST_IP`).
        Ipv4 = 1 "ipv4", "DEVLINK_DPIPE_HEADER_IPV4";
        /// Field 0 is the destination address (`DEVLINK_DPIPE_FIELD_IPV6_DST_IP`).
        Ipv6 = 2 "ipv6", "DEVLINK_DPIPE_HEADER_IPV6";
    }
}

nest! {
    /// The tables of a device, or a request to count in one; source: `devlink_dpipe_tables_fill`.
    pub struct DpipeTables: handle {
        /// In a request: only this table.
        name: Option<String> = 29, "DEVLINK_ATTR_DPIPE_TABLE_NAME";
        /// In a [`crate::Message::DpipeTableCountersSet`]: whether its entries count.
        counters_enabled: Option<bool> = 33, "DEVLINK_ATTR_DPIPE_TABLE_COUNTERS_ENABLED";
        /// In an answer: the tables.
        list: Option<DpipeTableList> = 27, "DEVLINK_ATTR_DPIPE_TABLES";
    }
}

nest! {
    /// Tables.
    pub struct DpipeTableList {
        /// They, in the order in which the driver registered them.
        tables: Vec<DpipeTable> = 28, "DEVLINK_ATTR_DPIPE_TABLE";
    }
}

nest! {
    /// A table; source: `devlink_dpipe_table_put`.
    pub struct DpipeTable {
        /// Its name.
        name: Option<String> = 29, "DEVLINK_ATTR_DPIPE_TABLE_NAME";
        /// How many entries it holds.
        size: Option<u64> = 30, "DEVLINK_ATTR_DPIPE_TABLE_SIZE";
        /// Whether its entries count.
        counters_enabled: Option<bool> = 33, "DEVLINK_ATTR_DPIPE_TABLE_COUNTERS_ENABLED";
        /// The resource that its entries use.
        resource_id: Option<u64> = 75, "DEVLINK_ATTR_DPIPE_TABLE_RESOURCE_ID";
        /// How many units of it each uses.
        resource_units: Option<u64> = 76, "DEVLINK_ATTR_DPIPE_TABLE_RESOURCE_UNITS";
        /// What it looks at.
        matches: Option<DpipeMatchList> = 31, "DEVLINK_ATTR_DPIPE_TABLE_MATCHES";
        /// What it does.
        actions: Option<DpipeActionList> = 32, "DEVLINK_ATTR_DPIPE_TABLE_ACTIONS";
    }
}

nest! {
    /// What a table looks at.
    pub struct DpipeMatchList {
        /// Each field.
        matches: Vec<DpipeMatch> = 40, "DEVLINK_ATTR_DPIPE_MATCH";
    }
}

nest! {
    /// What a table does.
    pub struct DpipeActionList {
        /// Each field.
        actions: Vec<DpipeAction> = 43, "DEVLINK_ATTR_DPIPE_ACTION";
    }
}

nest! {
    /// A field that is looked at; source: `devlink_dpipe_match_put`.
    pub struct DpipeMatch {
        /// How.
        match_type: Option<MatchType> = 42, "DEVLINK_ATTR_DPIPE_MATCH_TYPE";
        /// Which of several such headers, from 0: the outer or the inner one.
        header_index: Option<u32> = 55, "DEVLINK_ATTR_DPIPE_HEADER_INDEX";
        /// The header; a [`GlobalHeader`] if `header_global`.
        header_id: Option<u32> = 52, "DEVLINK_ATTR_DPIPE_HEADER_ID";
        /// The field in the header.
        field_id: Option<u32> = 58, "DEVLINK_ATTR_DPIPE_FIELD_ID";
        /// Every driver numbers that header alike.
        header_global: Option<bool> = 54, "DEVLINK_ATTR_DPIPE_HEADER_GLOBAL";
    }
}

nest! {
    /// A field that is written; source: `devlink_dpipe_action_put`.
    pub struct DpipeAction {
        /// How.
        action_type: Option<ActionType> = 45, "DEVLINK_ATTR_DPIPE_ACTION_TYPE";
        /// Which of several such headers, from 0.
        header_index: Option<u32> = 55, "DEVLINK_ATTR_DPIPE_HEADER_INDEX";
        /// The header; a [`GlobalHeader`] if `header_global`.
        header_id: Option<u32> = 52, "DEVLINK_ATTR_DPIPE_HEADER_ID";
        /// The field in the header.
        field_id: Option<u32> = 58, "DEVLINK_ATTR_DPIPE_FIELD_ID";
        /// Every driver numbers that header alike.
        header_global: Option<bool> = 54, "DEVLINK_ATTR_DPIPE_HEADER_GLOBAL";
    }
}

nest! {
    /// What is in a table; source: `devlink_dpipe_entry_ctx_prepare`.
    pub struct DpipeEntries: handle {
        /// In a request: the table, which must be said.
        table: Option<String> = 29, "DEVLINK_ATTR_DPIPE_TABLE_NAME";
        /// In an answer: the entries.
        list: Option<DpipeEntryList> = 34, "DEVLINK_ATTR_DPIPE_ENTRIES";
    }
}

nest! {
    /// Entries.
    pub struct DpipeEntryList {
        /// They, in the driver's order.
        entries: Vec<DpipeEntry> = 35, "DEVLINK_ATTR_DPIPE_ENTRY";
    }
}

nest! {
    /// An entry; source: `devlink_dpipe_entry_put`.
    pub struct DpipeEntry {
        /// Its place in the table.
        index: Option<u64> = 36, "DEVLINK_ATTR_DPIPE_ENTRY_INDEX";
        /// How many packets it met, if the table counts.
        counter: Option<u64> = 39, "DEVLINK_ATTR_DPIPE_ENTRY_COUNTER";
        /// What it looks for.
        matches: Option<DpipeMatchValueList> = 37, "DEVLINK_ATTR_DPIPE_ENTRY_MATCH_VALUES";
        /// What it writes.
        actions: Option<DpipeActionValueList> = 38, "DEVLINK_ATTR_DPIPE_ENTRY_ACTION_VALUES";
    }
}

nest! {
    /// What an entry looks for.
    pub struct DpipeMatchValueList {
        /// Each field.
        values: Vec<DpipeMatchValue> = 41, "DEVLINK_ATTR_DPIPE_MATCH_VALUE";
    }
}

nest! {
    /// What an entry writes.
    pub struct DpipeActionValueList {
        /// Each field.
        values: Vec<DpipeActionValue> = 44, "DEVLINK_ATTR_DPIPE_ACTION_VALUE";
    }
}

nest! {
    /// A field and what it must be; source: `devlink_dpipe_match_value_put`.
    pub struct DpipeMatchValue {
        /// The field.
        field: Option<DpipeMatch> = 40, "DEVLINK_ATTR_DPIPE_MATCH";
        /// What it must be.
        value: Option<Octets> = 46, "DEVLINK_ATTR_DPIPE_VALUE";
        /// Which bits of it; all when absent.
        mask: Option<Octets> = 47, "DEVLINK_ATTR_DPIPE_VALUE_MASK";
        /// What it stands for, see [`FieldMapping`].
        mapping: Option<u32> = 48, "DEVLINK_ATTR_DPIPE_VALUE_MAPPING";
    }
}

nest! {
    /// A field and what it becomes; source: `devlink_dpipe_action_value_put`.
    pub struct DpipeActionValue {
        /// The field.
        field: Option<DpipeAction> = 43, "DEVLINK_ATTR_DPIPE_ACTION";
        /// What it becomes.
        value: Option<Octets> = 46, "DEVLINK_ATTR_DPIPE_VALUE";
        /// Which bits of it; all when absent.
        mask: Option<Octets> = 47, "DEVLINK_ATTR_DPIPE_VALUE_MASK";
        /// What it stands for, see [`FieldMapping`].
        mapping: Option<u32> = 48, "DEVLINK_ATTR_DPIPE_VALUE_MAPPING";
    }
}

nest! {
    /// The headers that a device knows; source: `devlink_dpipe_headers_fill`.
    pub struct DpipeHeaders: handle {
        /// In an answer: the headers.
        list: Option<DpipeHeaderList> = 49, "DEVLINK_ATTR_DPIPE_HEADERS";
    }
}

nest! {
    /// Headers.
    pub struct DpipeHeaderList {
        /// They, in the driver's order.
        headers: Vec<DpipeHeader> = 50, "DEVLINK_ATTR_DPIPE_HEADER";
    }
}

nest! {
    /// A header; source: `devlink_dpipe_header_put`.
    pub struct DpipeHeader {
        /// Its name.
        name: Option<String> = 51, "DEVLINK_ATTR_DPIPE_HEADER_NAME";
        /// Its number; a [`GlobalHeader`] if `global`.
        id: Option<u32> = 52, "DEVLINK_ATTR_DPIPE_HEADER_ID";
        /// Every driver numbers it alike.
        global: Option<bool> = 54, "DEVLINK_ATTR_DPIPE_HEADER_GLOBAL";
        /// What it consists of.
        fields: Option<DpipeFieldList> = 53, "DEVLINK_ATTR_DPIPE_HEADER_FIELDS";
    }
}

nest! {
    /// What a header consists of.
    pub struct DpipeFieldList {
        /// The fields.
        fields: Vec<DpipeField> = 56, "DEVLINK_ATTR_DPIPE_FIELD";
    }
}

nest! {
    /// A field of a header; source: `devlink_dpipe_fields_put`.
    pub struct DpipeField {
        /// Its name.
        name: Option<String> = 57, "DEVLINK_ATTR_DPIPE_FIELD_NAME";
        /// Its number in the header.
        id: Option<u32> = 58, "DEVLINK_ATTR_DPIPE_FIELD_ID";
        /// Bits.
        bitwidth: Option<u32> = 59, "DEVLINK_ATTR_DPIPE_FIELD_BITWIDTH";
        /// What its values stand for.
        mapping: Option<FieldMapping> = 60, "DEVLINK_ATTR_DPIPE_FIELD_MAPPING_TYPE";
    }
}
