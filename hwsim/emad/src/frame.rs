//! What is in an EMAD frame, and what can be wrong with one?
//!
//! In: an operation and a register payload, or bytes. Out: the bytes of an Ethernet frame, or a [`Frame`]. The crate's
//! front page has the picture.

use crate::bits::{Bits, bit, bits, get_bytes, put_bytes};
use crate::layout::{DecodeError, Layout};
use crate::mac::Mac;
use crate::register::Register;

mod error;
mod operation;

pub use error::FrameError;
pub use operation::{Method, Operation, Status};

/// Destination MAC of every frame, in both directions.
pub const DESTINATION: Mac = Mac([0x01, 0x02, 0xc9, 0x00, 0x00, 0x01]);
/// Source MAC of every frame, in both directions.
pub const SOURCE: Mac = Mac([0x00, 0x02, 0xc9, 0x01, 0x02, 0x03]);
/// EtherType.
pub const ETHERTYPE: u16 = 0x8932;
/// Longest frame in bytes.
pub const MAX_LEN: usize = 1518;
/// Longest text in bytes.
pub const MAX_TEXT_LEN: usize = 128;
/// Longest payload in bytes: what [`MAX_LEN`] leaves with a text.
pub const MAX_PAYLOAD_LEN: usize =
    MAX_LEN / DWORD * DWORD - HEADER_LEN - (OP_DWORDS + STRING_DWORDS + 1 + END_DWORDS) * DWORD;

const DWORD: usize = 4;
const HEADER_LEN: usize = 16;
const OP_DWORDS: usize = 4;
const STRING_DWORDS: usize = 1 + MAX_TEXT_LEN / DWORD;
const LATENCY_DWORDS: usize = 7;
const END_DWORDS: usize = 1;

const HEADER_SOURCE: usize = 6;
const HEADER_ETHERTYPE: Bits = bits(0x0c, 31, 16);
const HEADER_PROTOCOL: Bits = bits(0x0c, 15, 8);
const HEADER_VERSION: Bits = bits(0x0c, 7, 4);

const TLV_TYPE: Bits = bits(0x00, 31, 27);
const TLV_LEN: Bits = bits(0x00, 26, 16);

const END: u8 = 0;
const OP: u8 = 1;
const STRING: u8 = 2;
const REG: u8 = 3;
const LATENCY: u8 = 4;

/// What a frame can carry: any [`Layout`], or a [`Register`].
pub trait Payload {
    /// Register id.
    fn id(&self) -> u16;
    /// The bytes: a multiple of four, at most [`MAX_PAYLOAD_LEN`].
    fn payload(&self) -> Vec<u8>;
}

impl<L: Layout> Payload for L {
    fn id(&self) -> u16 {
        L::ID
    }

    fn payload(&self) -> Vec<u8> {
        const { assert!(L::LEN <= MAX_PAYLOAD_LEN && L::LEN.is_multiple_of(DWORD)) };
        self.encode()
    }
}

impl Payload for Register {
    fn id(&self) -> u16 {
        self.id()
    }

    fn payload(&self) -> Vec<u8> {
        self.encode()
    }
}

/// One request, answer or event. Made by [`Frame::request`], [`Frame::answer`] and [`Frame::refuse`], or from bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Destination MAC, usually [`DESTINATION`].
    pub destination: Mac,
    /// Source MAC, usually [`SOURCE`].
    pub source: Mac,
    /// What is asked or answered.
    pub operation: Operation,
    text: Option<String>,
    payload: Vec<u8>,
}

impl Frame {
    /// The request for `method` on `register` (a [`Layout`] or a [`Register`]), without a text. A query needs the index fields only.
    #[must_use]
    pub fn request(method: Method, tid: u64, register: &impl Payload) -> Self {
        Self::from_valid(Operation::request(register.id(), method, tid), register.payload())
    }

    /// A frame of any operation and payload.
    ///
    /// # Errors
    /// A payload that is not a multiple of four bytes long, or longer than [`MAX_PAYLOAD_LEN`].
    pub fn new(operation: Operation, payload: Vec<u8>) -> Result<Self, FrameError> {
        if payload.len() > MAX_PAYLOAD_LEN || !payload.len().is_multiple_of(DWORD) {
            return Err(FrameError::PayloadLength { actual: payload.len(), max: MAX_PAYLOAD_LEN });
        }
        Ok(Self::from_valid(operation, payload))
    }

    const fn from_valid(operation: Operation, payload: Vec<u8>) -> Self {
        Self { destination: DESTINATION, source: SOURCE, operation, text: None, payload }
    }

    /// The answer to this request: it succeeded, and the register is now `register`.
    #[must_use]
    pub fn answer(&self, register: &impl Payload) -> Self {
        Self::from_valid(self.operation.answer(Status::Ok), register.payload())
    }

    /// The answer to this request with another status; the payload comes back as it was.
    #[must_use]
    pub fn refuse(&self, status: Status) -> Self {
        Self::from_valid(self.operation.answer(status), self.payload.clone())
    }

    /// With a text that says why, as firmware gives it; cut to [`MAX_TEXT_LEN`] bytes and at the first NUL.
    #[must_use]
    pub fn with_text(mut self, text: &str) -> Self {
        let mut kept = String::new();
        for character in text.chars().take_while(|&character| character != '\0') {
            if kept.len() + character.len_utf8() > MAX_TEXT_LEN {
                break;
            }
            kept.push(character);
        }
        self.text = Some(kept);
        self
    }

    /// The text of the string TLV, if there is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    /// The bytes of the register.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The register.
    ///
    /// # Errors
    /// See [`Register::decode`].
    pub fn register(&self) -> Result<Register, DecodeError> {
        Register::decode(self.operation.register_id, &self.payload)
    }

    /// The frame as it goes on the wire, without padding or check sequence.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        put_bytes(&mut bytes, 0, self.destination.octets());
        put_bytes(&mut bytes, HEADER_SOURCE, self.source.octets());
        HEADER_ETHERTYPE.put(&mut bytes, ETHERTYPE.into());

        self.operation.write_to(append(&mut bytes, OP, OP_DWORDS));
        if let Some(text) = &self.text {
            let tlv = append(&mut bytes, STRING, STRING_DWORDS);
            tlv[DWORD..][..text.len()].copy_from_slice(text.as_bytes());
        }
        let tlv = append(&mut bytes, REG, 1 + self.payload.len() / DWORD);
        tlv[DWORD..].copy_from_slice(&self.payload);
        append(&mut bytes, END, END_DWORDS);
        bytes
    }

    /// The frame in `bytes`. Padding after the END TLV is accepted; a latency TLV is skipped.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let mut tlvs = tlvs(bytes)?;
        let operation = first_operation(&mut tlvs)?;
        let (mut text, mut payload) = (None, None);
        let mut ended = false;
        for tlv in tlvs {
            let tlv = tlv?;
            let duplicate = match tlv.kind {
                END => {
                    tlv.expect_dwords(END_DWORDS)?;
                    ended = true;
                    break;
                }
                OP => true,
                STRING => {
                    tlv.expect_dwords(STRING_DWORDS)?;
                    text.replace(tlv.value).is_some()
                }
                REG => payload.replace(tlv.value).is_some(),
                LATENCY => tlv.expect_dwords(LATENCY_DWORDS).map(|()| false)?,
                kind => return Err(FrameError::UnknownTlv { kind, offset: tlv.offset }),
            };
            if duplicate {
                return Err(FrameError::DuplicateTlv { kind: tlv.kind, offset: tlv.offset });
            }
        }
        let payload = payload.ok_or(FrameError::RegisterMissing)?;
        if !ended {
            return Err(FrameError::EndMissing);
        }
        let frame = Self {
            destination: Mac(get_bytes(bytes, 0)),
            source: Mac(get_bytes(bytes, HEADER_SOURCE)),
            ..Self::new(operation, payload.to_vec())?
        };
        Ok(match text {
            Some(text) => frame.with_text(&String::from_utf8_lossy(text)),
            None => frame,
        })
    }
}

impl Operation {
    /// The operation of a frame of which nothing more need be right: with it a chip can answer what it cannot decode.
    ///
    /// # Errors
    /// What is wrong with the Ethernet header or the operation TLV.
    pub fn peek(frame: &[u8]) -> Result<Self, FrameError> {
        first_operation(&mut tlvs(frame)?)
    }

    fn write_to(&self, tlv: &mut [u8]) {
        DR.put(tlv, self.direct_route.into());
        STATUS.put(tlv, self.status.code().into());
        REGISTER_ID.put(tlv, self.register_id.into());
        RESPONSE.put(tlv, self.response.into());
        METHOD.put(tlv, self.method.code().into());
        CLASS.put(tlv, self.class.into());
        put_bytes(tlv, TID, self.tid.to_be_bytes());
    }

    fn read_from(tlv: &[u8]) -> Self {
        use crate::field::read;
        Self {
            direct_route: read(tlv, DR),
            status: read(tlv, STATUS),
            register_id: read(tlv, REGISTER_ID),
            response: read(tlv, RESPONSE),
            method: read(tlv, METHOD),
            class: read(tlv, CLASS),
            tid: u64::from_be_bytes(get_bytes(tlv, TID)),
        }
    }
}

const DR: Bits = bit(0x00, 15);
const STATUS: Bits = bits(0x00, 14, 8);
const REGISTER_ID: Bits = bits(0x04, 31, 16);
const RESPONSE: Bits = bit(0x04, 15);
const METHOD: Bits = bits(0x04, 14, 8);
const CLASS: Bits = bits(0x04, 7, 0);
const TID: usize = 0x08;

/// A TLV of a frame.
struct Tlv<'a> {
    kind: u8,
    offset: usize,
    /// The TLV with its first dword.
    bytes: &'a [u8],
    /// What comes after the first dword.
    value: &'a [u8],
}

impl Tlv<'_> {
    fn expect_dwords(&self, expected: usize) -> Result<(), FrameError> {
        let actual = self.bytes.len() / DWORD;
        if actual == expected {
            return Ok(());
        }
        Err(FrameError::TlvLength { kind: self.kind, offset: self.offset, expected, actual })
    }
}

/// Checks the Ethernet header; the TLVs after it, up to and with the first that is broken.
fn tlvs(frame: &[u8]) -> Result<impl Iterator<Item = Result<Tlv<'_>, FrameError>>, FrameError> {
    if frame.len() < HEADER_LEN {
        return Err(FrameError::HeaderTruncated { actual: frame.len() });
    }
    let ethertype = HEADER_ETHERTYPE.get(frame);
    if ethertype != u32::from(ETHERTYPE) {
        return Err(FrameError::WrongEtherType { ethertype });
    }
    let (protocol, version) = (HEADER_PROTOCOL.get(frame), HEADER_VERSION.get(frame));
    if (protocol, version) != (0, 0) {
        return Err(FrameError::UnsupportedVersion { protocol, version });
    }
    let mut offset = HEADER_LEN;
    Ok(std::iter::from_fn(move || {
        let rest = frame.get(offset..).filter(|rest| !rest.is_empty())?;
        let tlv = tlv(rest, offset);
        // After a broken TLV nothing can be found.
        offset = tlv.as_ref().map_or(frame.len(), |tlv| offset + tlv.bytes.len());
        Some(tlv)
    }))
}

/// The TLV at the start of `rest`.
fn tlv(rest: &[u8], offset: usize) -> Result<Tlv<'_>, FrameError> {
    if rest.len() < DWORD {
        return Err(FrameError::TlvTruncated { offset, actual: rest.len() });
    }
    let kind = crate::field::read(rest, TLV_TYPE);
    let dwords = crate::field::read::<_, u16>(rest, TLV_LEN);
    if dwords == 0 {
        return Err(FrameError::TlvLengthZero { kind, offset });
    }
    let len = usize::from(dwords) * DWORD;
    match (rest.get(..len), rest.get(DWORD..len)) {
        (Some(bytes), Some(value)) => Ok(Tlv { kind, offset, bytes, value }),
        _ => Err(FrameError::TlvPastEnd { kind, offset, len, left: rest.len() }),
    }
}

fn first_operation<'a>(
    tlvs: &mut impl Iterator<Item = Result<Tlv<'a>, FrameError>>,
) -> Result<Operation, FrameError> {
    let tlv = tlvs.next().ok_or(FrameError::OperationMissing)??;
    if tlv.kind != OP {
        return Err(FrameError::OperationMissing);
    }
    tlv.expect_dwords(OP_DWORDS)?;
    Ok(Operation::read_from(tlv.bytes))
}

/// Appends a TLV of zeros with its type and length set; the caller fills it in.
fn append(frame: &mut Vec<u8>, kind: u8, dwords: usize) -> &mut [u8] {
    let start = frame.len();
    frame.resize(start + dwords * DWORD, 0);
    let tlv = &mut frame[start..];
    TLV_TYPE.put(tlv, kind.into());
    TLV_LEN.put(tlv, u32::try_from(dwords).expect("a frame has fewer than 2^11 dwords"));
    tlv
}

#[cfg(test)]
mod tests;
