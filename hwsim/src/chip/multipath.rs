//! By which fields does a packet take one of several next hops? RECR2, in a form that answers quickly.

use emad::register::Recr2;

/// What RECR2 said last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Multipath {
    register: Recr2,
    /// A bit for each number in its sets; numbers beyond 127 are of no field that is modelled.
    headers: u128,
    fields: u128,
}

impl Multipath {
    /// The register as it was written.
    #[must_use]
    pub(crate) fn register(&self) -> &Recr2 {
        &self.register
    }

    /// Sets it.
    pub(crate) fn write(&mut self, register: Recr2) {
        let bit = |number: &u8| 1_u128.checked_shl((*number).into());
        let headers = register.outer_header_enables.iter().filter_map(bit);
        self.headers = headers.sum();
        self.fields = register.outer_fields.iter().filter_map(bit).sum();
        self.register = register;
    }

    /// Where the hash starts.
    #[must_use]
    pub(crate) fn seed(&self) -> u32 {
        self.register.seed
    }

    /// Is the hash the same for both directions of a flow?
    #[must_use]
    pub(crate) fn is_symmetric(&self) -> bool {
        self.register.sh
    }

    /// Do fields of this kind of packet count?
    #[must_use]
    pub(crate) fn header(&self, number: u8) -> bool {
        self.headers >> number & 1 == 1
    }

    /// Does this field count?
    #[must_use]
    pub(crate) fn field(&self, number: u8) -> bool {
        self.fields >> number & 1 == 1
    }

    /// Which of the `count` fields from this one on count, a bit each; at most 8.
    #[must_use]
    pub(crate) fn fields(&self, first: u8, count: u8) -> u8 {
        let [low, ..] = (self.fields >> first).to_le_bytes();
        low & u8::MAX >> (8 - count)
    }
}
