//! Frames byte by byte, and what happens to broken ones.

use proptest::prelude::*;

use super::*;
use crate::register::{Rgcr, Sfd, SfdOp, SfdRecord, Spvid};

fn request() -> Frame {
    let spvid = Spvid { local_port: 5, pvid: 10, ..Spvid::default() };
    Frame::request(Method::Write, 0x1122_3344_5566_7788, &spvid)
}

const REQUEST: [u8; 48] = [
    0x01, 0x02, 0xc9, 0x00, 0x00, 0x01, 0x00, 0x02, 0xc9, 0x01, 0x02, 0x03, 0x89, 0x32, 0x00, 0x00,
    0x08, 0x04, 0x00, 0x00, 0x20, 0x0e, 0x02, 0x01, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88,
    0x18, 0x03, 0x00, 0x00, 0x00, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x00, 0x01, 0x00, 0x00,
];

// Would break: other tools and real chips would not understand our frames.
#[test]
fn a_request_is_these_bytes() {
    assert_eq!(request().encode(), REQUEST);
    assert_eq!(Frame::decode(&REQUEST), Ok(request()));
}

// Would break: an answer could not be told from a request, or belongs to no transaction.
#[test]
fn an_answer_repeats_the_request() {
    let refused = request().refuse(Status::ResourceNotAvailable).with_text("Table is full");
    let bytes = refused.encode();
    assert_eq!(bytes[16..24], [0x08, 0x04, 0x08, 0x00, 0x20, 0x0e, 0x82, 0x01]);
    assert_eq!(bytes[32..36], [0x10, 0x21, 0x00, 0x00]);
    assert_eq!(bytes.len(), REQUEST.len() + 33 * 4);
    let decoded = Frame::decode(&bytes).unwrap();
    assert_eq!(decoded.operation.tid, request().operation.tid);
    assert_eq!(decoded.text(), Some("Table is full"));
    assert_eq!(decoded.payload(), request().payload());
    assert_eq!(decoded, refused);

    let answer = request().answer(&Spvid::default());
    assert_eq!(answer, request().answer(&Register::from(Spvid::default())));
    assert_eq!((answer.operation.status, answer.text()), (Status::Ok, None));
    assert_eq!(answer.register().unwrap(), Spvid::default().into());
}

// Would break: frames padded to the Ethernet minimum, or with the driver's latency TLV, are refused.
#[test]
fn padding_and_latency_are_accepted() {
    let mut padded = REQUEST.to_vec();
    padded.resize(60, 0);
    assert_eq!(Frame::decode(&padded), Ok(request()));
    padded.truncate(49);
    padded[48] = 0xff;
    assert_eq!(Frame::decode(&padded), Ok(request()));

    let mut latency = REQUEST[..32].to_vec();
    latency.extend([0x20, 0x07, 0, 0]);
    latency.extend([0xab; 24]);
    latency.extend(&REQUEST[32..]);
    assert_eq!(Frame::decode(&latency), Ok(request()));
}

/// The request with some bytes replaced and then cut.
fn broken(changes: &[(usize, u8)], len: usize) -> FrameError {
    let mut bytes = REQUEST;
    for &(offset, value) in changes {
        bytes[offset] = value;
    }
    Frame::decode(&bytes[..len]).unwrap_err()
}

// Would break: a defect is reported as another one, or not at all.
#[test]
fn each_defect_has_its_error() {
    assert_eq!(broken(&[], 15), FrameError::HeaderTruncated { actual: 15 });
    assert_eq!(broken(&[(12, 0x08)], 48), FrameError::WrongEtherType { ethertype: 0x0832 });
    let version = FrameError::UnsupportedVersion { protocol: 1, version: 2 };
    assert_eq!(broken(&[(14, 1), (15, 0x20)], 48), version);
    assert_eq!(version.status(), Status::VersionNotSupported);
    assert_eq!(broken(&[], 16), FrameError::OperationMissing);
    assert_eq!(broken(&[(16, 0x18)], 48), FrameError::OperationMissing);
    assert_eq!(broken(&[], 18), FrameError::TlvTruncated { offset: 16, actual: 2 });
    let past = FrameError::TlvPastEnd { kind: 1, offset: 16, len: 16, left: 14 };
    assert_eq!(broken(&[], 30), past);
    let length = FrameError::TlvLength { kind: 1, offset: 16, expected: 4, actual: 5 };
    assert_eq!(broken(&[(17, 5)], 48), length);
    assert_eq!(broken(&[(17, 0)], 48), FrameError::TlvLengthZero { kind: 1, offset: 16 });
    assert_eq!(broken(&[], 32), FrameError::RegisterMissing);
    assert_eq!(broken(&[], 44), FrameError::EndMissing);
    assert_eq!(broken(&[(45, 0)], 48), FrameError::TlvLengthZero { kind: 0, offset: 44 });
    assert_eq!(
        broken(&[(33, 4)], 44),
        FrameError::TlvPastEnd { kind: 3, offset: 32, len: 16, left: 12 }
    );
    assert_eq!(broken(&[(44, 0x18)], 48), FrameError::DuplicateTlv { kind: 3, offset: 44 });
    assert_eq!(broken(&[(44, 0x08)], 48), FrameError::DuplicateTlv { kind: 1, offset: 44 });
    let unknown = FrameError::UnknownTlv { kind: 31, offset: 44 };
    assert_eq!(broken(&[(44, 0xf8)], 48), unknown);
    assert_eq!(unknown.status(), Status::UnknownTlv);
    assert_eq!(FrameError::EndMissing.status(), Status::BadParameter);
    let string = FrameError::TlvLength { kind: 2, offset: 44, expected: 33, actual: 1 };
    assert_eq!(broken(&[(44, 0x10)], 48), string);
}

// Would break: a chip could not answer a request that is broken after its operation.
#[test]
fn the_operation_of_a_broken_frame_can_be_read() {
    assert_eq!(Operation::peek(&REQUEST[..34]), Ok(request().operation));
    assert_eq!(Operation::peek(&REQUEST[..20]), Frame::decode(&REQUEST[..20]).map(|f| f.operation));
}

// Would break: a text that is too long shifts the register behind it.
#[test]
fn texts_are_cut_between_characters() {
    let frame = request().with_text(&"ä".repeat(100));
    assert_eq!(frame.text().map(str::len), Some(128));
    let frame = request().with_text(&format!("x{}", "ä".repeat(100)));
    assert_eq!(frame.text().map(str::len), Some(127));
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    assert_eq!(request().with_text("seen\0unseen").text(), Some("seen"));
}

// Would break: payloads that no frame can hold are cut on the wire instead of refused here.
#[test]
fn payload_lengths_are_checked() {
    let operation = Operation::request(1, Method::Query, 1);
    assert!(Frame::new(operation, vec![0; 6]).is_err());
    assert!(Frame::new(operation, vec![0; MAX_PAYLOAD_LEN + 4]).is_err());
    let longest = Frame::new(operation, vec![0; MAX_PAYLOAD_LEN]).unwrap();
    assert!(longest.with_text("x").encode().len() <= MAX_LEN);
}

// Would break: the driver retries what will never succeed, or gives up what would.
#[test]
fn two_statuses_are_worth_a_retry() {
    let transient = |status: &&Status| status.is_transient();
    let retried: Vec<_> = Status::NAMED.iter().filter(transient).collect();
    assert_eq!(retried, [&Status::Busy, &Status::MessageReceiptAck]);
    assert_eq!(Status::from_code(0x70), Status::InternalError);
    assert_eq!(Status::from_code(0x55), Status::Other(0x55));
}

prop_compose! {
    fn operation()(
        direct_route: bool, status in 0u8..128, register_id: u16, response: bool, method in 0u8..128, class: u8,
        tid: u64,
    ) -> Operation {
        let (status, method) = (Status::from_code(status), Method::from_code(method));
        Operation { direct_route, status, register_id, response, method, class, tid }
    }
}

prop_compose! {
    fn frame()(
        destination: [u8; 6], source: [u8; 6], operation in operation(), dwords in 0..=MAX_PAYLOAD_LEN / 4,
        fill: u8, text in prop::option::of("[^\0]{0,40}"),
    ) -> Frame {
        let frame = Frame::new(operation, vec![fill; dwords * 4]).unwrap();
        let frame = Frame { destination: Mac(destination), source: Mac(source), ..frame };
        match text {
            Some(text) => frame.with_text(&text),
            None => frame,
        }
    }
}

proptest! {
    // Would break: any part of a frame is lost or changed between the two sides.
    #[test]
    fn every_frame_survives_the_wire(frame in frame(), padding in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = frame.encode();
        bytes.extend(padding);
        prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
    }

    // Would break: a datagram of anything could end the program.
    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Frame::decode(&bytes);
        let _ = Operation::peek(&bytes);
        // The same behind a header, which random bytes seldom have.
        let behind_header = [&REQUEST[..16], &bytes].concat();
        let _ = Frame::decode(&behind_header);
        let behind_operation = [&REQUEST[..32], &bytes].concat();
        if let Ok(frame) = Frame::decode(&behind_operation) {
            prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
        }
    }

    // Would break: a damaged frame could end the program, or decode to something that cannot be sent.
    #[test]
    fn a_damaged_frame_is_decoded_or_refused(
        frame in frame(), damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = frame.encode();
        for (index, value) in damage {
            *index.get_mut(&mut bytes) = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            if let Ok(frame) = Frame::decode(bytes) {
                prop_assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
            }
        }
    }
}

// Would break: the largest write of the agent does not fit its frame.
#[test]
fn sixty_four_records_fit() {
    let records = vec![SfdRecord::router(Mac([2, 0, 0, 0, 0, 1]), 1); 64];
    let frame =
        Frame::request(Method::Write, 1, &Sfd::new(SfdOp::WRITE_EDIT, records)).with_text("");
    assert!(frame.encode().len() <= MAX_LEN);
    assert_eq!(Frame::decode(&frame.encode()), Ok(frame));
    assert!(Frame::request(Method::Query, 1, &Rgcr::default()).register().is_ok());
}
