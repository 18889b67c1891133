//! A receipt's text: one `name value` line per fact in a fixed order, then the signed checkpoint.

use std::fmt::{Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{DeviceProof, Part, Receipt, View};
use crate::leaf::bulk::BulkProof;
use crate::leaf::{Authority, DeviceChange, DeviceCore, PostingCore, PostingKind};
use crate::merkle::Hash;
use crate::money::Currency;
use crate::time;

const TITLE: &str = "strongroom receipt v1";
const CHECKPOINT: &str = "checkpoint";
/// A tree of 2^64 leaves has no longer path.
const PATH_MAX: usize = 64;

/// The text is not a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a receipt of this kind{}: expected {expected}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct NotAReceipt {
    /// The line that is wrong, from 1; none when it is the text as a whole.
    pub line: Option<usize>,
    /// What should stand there.
    pub expected: &'static str,
}

pub(super) fn write(receipt: &Receipt) -> String {
    let mut out = Out(format!("{TITLE}\n"));
    out.line("view", if receipt.view == View::Payer { "payer" } else { "payee" });
    write_core(&mut out, &receipt.core);
    out.line("core-salt", hex(&receipt.core_salt));
    out.line("payer", part_text(&receipt.payer));
    out.line("payee", part_text(&receipt.payee));
    out.line("index", receipt.index);
    receipt.path.iter().for_each(|hash| out.line("path", hex(hash)));
    if let Some(bulk) = &receipt.bulk {
        write_bulk(&mut out, bulk);
    }
    if let Some(device) = &receipt.device {
        write_device(&mut out, device);
    }
    out.0 + CHECKPOINT + "\n" + &receipt.checkpoint
}

fn write_core(out: &mut Out, core: &PostingCore) {
    out.line("transfer", core.transfer);
    out.line("sequence", core.sequence);
    out.line("kind", core.kind.name());
    out.line("from", core.from);
    out.line("to", core.to);
    out.line("amount", format_args!("{} {}", core.currency.format_amount(core.amount), core.currency));
    out.line("time", time::to_text(core.time_us));
    out.line("authority", authority_text(core.authority));
    out.line("order-sha256", hex(&core.order_sha256));
    out.line("refers", core.refers.map_or("none".into(), |transfer| transfer.to_string()));
}

fn write_bulk(out: &mut Out, bulk: &BulkProof) {
    out.line("bulk", &bulk.jws);
    out.line("bulk-root", hex(&bulk.root));
    out.line("bulk-count", bulk.count);
    out.line("bulk-linked", bulk.linked);
    bulk.path.iter().for_each(|hash| out.line("bulk-path", hex(hash)));
}

fn write_device(out: &mut Out, device: &DeviceProof) {
    out.line("device", device.core.device);
    out.line("device-person", device.core.person);
    out.line("device-change", device.core.change.name());
    out.line("device-key", BASE64.encode(&device.core.public_key));
    out.line("device-time", time::to_text(device.core.time_us));
    out.line("device-by", device.core.by);
    out.line("device-salt", hex(&device.salt));
    out.line("device-index", device.index);
    device.path.iter().for_each(|hash| out.line("device-path", hex(hash)));
}

struct Out(String);

impl Out {
    fn line(&mut self, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{name} {value}");
    }
}

fn authority_text(authority: Authority) -> String {
    match authority {
        Authority::CustomerDevice(device) => format!("customer-device {device}"),
        Authority::StaffDevice(device) => format!("staff-device {device}"),
        Authority::Rule(rule) => format!("rule {rule}"),
    }
}

fn part_text(part: &Part) -> String {
    match part {
        Part::Shown { salt, content } => format!("shown {} {}", hex(salt), BASE64.encode(content)),
        Part::Hash(hash) => format!("hash {}", hex(hash)),
    }
}

/// Reads the lines in their order. What it accepts too much (zeros before a number, another
/// spelling of a time) the comparison with the text written again refuses.
pub(super) fn read(text: &str) -> Result<Receipt, NotAReceipt> {
    let mut lines = Lines { rest: text, number: 0 };
    lines.exactly(TITLE)?;
    let view = lines.value("view", "view payer or payee", |text| match text {
        "payer" => Some(View::Payer),
        "payee" => Some(View::Payee),
        _ => None,
    })?;
    Ok(Receipt {
        view,
        core: read_core(&mut lines)?,
        core_salt: lines.value("core-salt", "core-salt and 32 hexadecimal digits", unhex)?,
        payer: lines.value("payer", "payer, shown or hash, and its bytes", read_part)?,
        payee: lines.value("payee", "payee, shown or hash, and its bytes", read_part)?,
        index: lines.parsed("index", "index and a number")?,
        path: lines.path("path", "path and 64 hexadecimal digits")?,
        bulk: if lines.rest.starts_with("bulk ") { Some(read_bulk(&mut lines)?) } else { None },
        device: if lines.rest.starts_with("device ") { Some(read_device(&mut lines)?) } else { None },
        checkpoint: {
            lines.exactly(CHECKPOINT)?;
            lines.rest.to_owned()
        },
    })
}

fn read_core(lines: &mut Lines<'_>) -> Result<PostingCore, NotAReceipt> {
    let transfer = lines.parsed("transfer", "transfer and its id")?;
    let sequence = lines.parsed("sequence", "sequence and a number")?;
    let kind = lines.value("kind", "kind and its name", PostingKind::from_name)?;
    let from = lines.parsed("from", "from and an account id")?;
    let to = lines.parsed("to", "to and an account id")?;
    let (amount, currency) = lines.value("amount", "amount, above zero, and its currency", read_amount)?;
    let time_us = lines.value("time", "time in RFC 3339", time::from_text)?;
    let authority = lines.value("authority", "authority, its kind and its id", read_authority)?;
    let order_sha256 = lines.value("order-sha256", "order-sha256 and 64 hexadecimal digits", unhex)?;
    let refers = lines.value("refers", "refers and a transfer id or none", |text| match text {
        "none" => Some(None),
        id => id.parse().ok().map(Some),
    })?;
    Ok(PostingCore { transfer, sequence, kind, from, to, amount, currency, time_us, authority, order_sha256, refers })
}

fn read_bulk(lines: &mut Lines<'_>) -> Result<BulkProof, NotAReceipt> {
    Ok(BulkProof {
        jws: lines.parsed("bulk", "bulk and its signature")?,
        root: lines.value("bulk-root", "bulk-root and 64 hexadecimal digits", unhex)?,
        count: lines.parsed("bulk-count", "bulk-count and a number")?,
        linked: lines.parsed("bulk-linked", "bulk-linked, true or false")?,
        path: lines.path("bulk-path", "bulk-path and 64 hexadecimal digits")?,
    })
}

fn read_device(lines: &mut Lines<'_>) -> Result<DeviceProof, NotAReceipt> {
    let core = DeviceCore {
        device: lines.parsed("device", "device and its id")?,
        person: lines.parsed("device-person", "device-person and an id")?,
        change: lines.value("device-change", "device-change and its name", DeviceChange::from_name)?,
        public_key: lines.value("device-key", "device-key and base64", |text| BASE64.decode(text).ok())?,
        time_us: lines.value("device-time", "device-time in RFC 3339", time::from_text)?,
        by: lines.parsed("device-by", "device-by and an id")?,
    };
    Ok(DeviceProof {
        core,
        salt: lines.value("device-salt", "device-salt and 32 hexadecimal digits", unhex)?,
        index: lines.parsed("device-index", "device-index and a number")?,
        path: lines.path("device-path", "device-path and 64 hexadecimal digits")?,
    })
}

fn read_amount(text: &str) -> Option<(i64, Currency)> {
    let (amount, currency) = text.split_once(' ')?;
    let currency: Currency = currency.parse().ok()?;
    Some((currency.parse_amount(amount).ok()?, currency))
}

fn read_authority(text: &str) -> Option<Authority> {
    let (kind, id) = text.split_once(' ')?;
    match kind {
        "customer-device" => id.parse().ok().map(Authority::CustomerDevice),
        "staff-device" => id.parse().ok().map(Authority::StaffDevice),
        "rule" => id.parse().ok().map(Authority::Rule),
        _ => None,
    }
}

fn read_part(text: &str) -> Option<Part> {
    match text.split_once(' ')? {
        ("shown", rest) => {
            let (salt, content) = rest.split_once(' ')?;
            Some(Part::Shown { salt: unhex(salt)?, content: BASE64.decode(content).ok()? })
        }
        ("hash", hash) => unhex(hash).map(Part::Hash),
        _ => None,
    }
}

struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &'static str) -> Result<&'a str, NotAReceipt> {
        self.number += 1;
        let (line, rest) = self.rest.split_once('\n').ok_or(self.wrong(expected))?;
        self.rest = rest;
        Ok(line)
    }

    fn exactly(&mut self, line: &'static str) -> Result<(), NotAReceipt> {
        if self.next(line)? == line { Ok(()) } else { Err(self.wrong(line)) }
    }

    fn value<T>(
        &mut self,
        name: &str,
        expected: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, NotAReceipt> {
        let line = self.next(expected)?;
        let value = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
        value.and_then(read).ok_or(self.wrong(expected))
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, expected: &'static str) -> Result<T, NotAReceipt> {
        self.value(name, expected, |text| text.parse().ok())
    }

    fn path(&mut self, name: &str, expected: &'static str) -> Result<Vec<Hash>, NotAReceipt> {
        let mut path = Vec::new();
        while self.rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')) && path.len() < PATH_MAX {
            path.push(self.value(name, expected, unhex)?);
        }
        Ok(path)
    }

    fn wrong(&self, expected: &'static str) -> NotAReceipt {
        NotAReceipt { line: Some(self.number), expected }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != N * 2 || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
