//! Which register does a vector describe?
//!
//! In: the fields of a vector. Out: the register with those values; what is not listed has the value that the
//! driver's packing function of that register always writes.

use emad::Register;

use crate::fields::Fields;

mod lag;
mod router;
mod switch;
mod trap;

type Built<T> = Result<T, String>;

pub(crate) fn register(name: &str, f: &mut Fields) -> Built<Register> {
    Ok(match name {
        "rgcr" => router::rgcr(f)?.into(),
        "ritr" => router::ritr(f)?.into(),
        "ratr" => router::ratr(f)?.into(),
        "ratrad" => router::ratrad(f)?.into(),
        "raleu" => router::raleu(f)?.into(),
        "recr2" => router::recr2(f)?.into(),
        "ricnt" => router::ricnt(f)?.into(),
        "reiv" => router::reiv(f)?.into(),
        "ralta" => router::ralta(f)?.into(),
        "ralst" => router::ralst(f)?.into(),
        "raltb" => router::raltb(f)?.into(),
        "ralue" => router::ralue(f)?.into(),
        "rauht" => router::rauht(f)?.into(),
        "rauhtd" => router::rauhtd(f)?.into(),
        "rmft2" => router::rmft2(f)?.into(),
        "sldr" => lag::sldr(f)?.into(),
        "slcr" => lag::slcr(f)?.into(),
        "slcor" => lag::slcor(f)?.into(),
        "sfdat" => switch::sfdat(f)?.into(),
        "sfd" => switch::sfd(f)?.into(),
        "sfn" => switch::sfn(f)?.into(),
        "sfdf" => switch::sfdf(f)?.into(),
        "sfmr" => switch::sfmr(f)?.into(),
        "svfa" => switch::svfa(f)?.into(),
        "spvid" => switch::spvid(f)?.into(),
        "spvm" => switch::spvm(f)?.into(),
        "spaft" => switch::spaft(f)?.into(),
        "spvmlr" => switch::spvmlr(f)?.into(),
        "spms" => switch::spms(f)?.into(),
        "sfgc" => switch::sfgc(f)?.into(),
        "smid2" => switch::smid2(f)?.into(),
        "hpkt" => trap::hpkt(f)?.into(),
        "htgt" => trap::htgt(f)?.into(),
        "qpcr" => trap::qpcr(f)?.into(),
        _ => return Err("Unknown register".to_owned()),
    })
}

const LOCAL_PORT: &[&str] = &["local_port", "port", "system_port"];
const SYSTEM_PORT: &[&str] = &["system_port", "local_port", "port", "uc_system_port"];
const RECORDS: &[&str] = &["records", "recs", "rec", "entries", "vids", "vlans", "list"];
const VIRTUAL_ROUTER: &[&str] = &["virtual_router", "vr_id", "vr", "vrid"];
const PROTOCOL: &[&str] = &["protocol", "proto", "type", "family"];

/// The VLANs of a packing function that takes a range (`vid_begin`, `vid_end`) or one of them (`vid`).
fn vid_range(f: &mut Fields) -> Built<std::ops::RangeInclusive<u16>> {
    let first = f.need(&["vid_begin", "vid", "vid_first", "begin"])?;
    let last = f.number(&["vid_end", "vid_last", "end"], first)?;
    Ok(first..=last)
}
