//! The offline verifier: from a receipt's text and the log key to what is proven by them.

use strongroom_crypto::digest::sha256;
use strongroom_crypto::jws;
use strongroom_crypto::sign::PublicKey;

use super::{DeviceProof, NotAReceipt, Part, Receipt, View};
use crate::id::{AccountId, DeviceId, PersonId, TransferId};
use crate::leaf::bulk::BulkProof;
use crate::leaf::{self, Authority, DeviceChange, Kind, PayeePart, PayerPart, PostingCore, PostingKind, Signed};
use crate::merkle::{self, Hash};
use crate::money::Currency;
use crate::note::{Checkpoint, LogKey, NoteError};
use crate::order::{AmountText, CashOrder, FollowUp, FollowUpOrder, HOLD_S_MAX, TransferOrder};
use crate::time;

/// A bank may carry out an order this long after its signature expired: what waited in its queue.
const LATE_S_MAX: i64 = 600;

/// What a receipt proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whose view it is.
    pub view: View,
    /// The posting's id.
    pub transfer: TransferId,
    /// The log's entry of it.
    pub entry: Hash,
    /// Its place in the log.
    pub sequence: u64,
    /// What kind of posting it is.
    pub kind: PostingKind,
    /// The account debited.
    pub from: AccountId,
    /// The account credited.
    pub to: AccountId,
    /// Minor units.
    pub amount: i64,
    /// Of this currency.
    pub currency: Currency,
    /// When the bank decided it, in microseconds UTC.
    pub time_us: i64,
    /// Who willed it.
    pub authority: Authority,
    /// The posting that it takes back or completes.
    pub refers: Option<TransferId>,
    /// The order's id; only in the payer's view.
    pub order_id: Option<String>,
    /// What it was for.
    pub description: Option<String>,
    /// The person whose device signed; only in the payer's view.
    pub signer: Option<PersonId>,
    /// The checkpoint that holds it.
    pub checkpoint: Checkpoint,
    /// What the receipt does not prove, in words.
    pub not_proven: Vec<&'static str>,
}

impl Verified {
    /// The amount as text, like `12.50 USD`.
    pub fn amount_text(&self) -> String {
        format!("{} {}", self.currency.format_amount(self.amount), self.currency)
    }

    /// The time in RFC 3339.
    pub fn time_text(&self) -> String {
        time::to_text(self.time_us)
    }
}

/// Why a receipt is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// It is not UTF-8 text.
    #[error("not a receipt: it is not text")]
    NotText,
    /// It has not a receipt's form.
    #[error(transparent)]
    Form(#[from] NotAReceipt),
    /// Its checkpoint is not the log's.
    #[error("{0}")]
    Checkpoint(#[from] NoteError),
    /// It shows or hides what its view does not.
    #[error("the receipt does not show what its view shows: {0}")]
    WrongView(&'static str),
    /// The posting is not in the log.
    #[error("the log does not hold this posting: its content or its path was changed")]
    NotInLog,
    /// The device is not in the log.
    #[error("the log does not hold the signing device: {0}")]
    Device(&'static str),
    /// The order's signature does not hold.
    #[error("the order's signature does not hold: {0}")]
    Signature(String),
    /// The order is for something else.
    #[error("the posting is not what was ordered: {0}")]
    OtherOrder(&'static str),
}

/// Verifies a receipt against the log key, which must come from somewhere else than the receipt.
pub fn verify(receipt: impl AsRef<[u8]>, key: &LogKey) -> Result<Verified, ReceiptError> {
    let text = str::from_utf8(receipt.as_ref()).map_err(|_| ReceiptError::NotText)?;
    let receipt = Receipt::parse(text)?;
    let checkpoint = key.verify(&receipt.checkpoint)?;
    let entry = check_inclusion(&receipt, &checkpoint)?;
    let mut verified = proven_by_inclusion(&receipt, entry, checkpoint);
    match receipt.view {
        View::Payee => check_payee(&receipt, &mut verified)?,
        View::Payer => check_payer(&receipt, &mut verified)?,
    }
    Ok(verified)
}

fn check_inclusion(receipt: &Receipt, checkpoint: &Checkpoint) -> Result<Hash, ReceiptError> {
    let core = leaf::part_hash(leaf::CORE, &receipt.core_salt, &receipt.core.encode());
    let (payer, payee) = (receipt.payer.hash(leaf::PAYER), receipt.payee.hash(leaf::PAYEE));
    let commitment = leaf::commitment(Kind::Posting, &core, &payer, &payee);
    let included = is_included(&commitment, receipt.index, &receipt.path, checkpoint);
    if included && receipt.index == receipt.core.sequence { Ok(commitment) } else { Err(ReceiptError::NotInLog) }
}

fn is_included(commitment: &Hash, index: u64, path: &[Hash], checkpoint: &Checkpoint) -> bool {
    merkle::verify_inclusion(&merkle::leaf_hash(commitment), index, checkpoint.size, path, &checkpoint.root)
}

fn proven_by_inclusion(receipt: &Receipt, entry: Hash, checkpoint: Checkpoint) -> Verified {
    let core = &receipt.core;
    Verified {
        view: receipt.view,
        transfer: core.transfer,
        entry,
        sequence: core.sequence,
        kind: core.kind,
        from: core.from,
        to: core.to,
        amount: core.amount,
        currency: core.currency,
        time_us: core.time_us,
        authority: core.authority,
        refers: core.refers,
        order_id: None,
        description: None,
        signer: None,
        checkpoint,
        not_proven: vec!["who owns the accounts", "that no later posting takes this one back"],
    }
}

fn check_payee(receipt: &Receipt, verified: &mut Verified) -> Result<(), ReceiptError> {
    let Part::Shown { content, .. } = &receipt.payee else {
        return Err(ReceiptError::WrongView("a payee's receipt shows the payee's part"));
    };
    if matches!(receipt.payer, Part::Shown { .. }) || receipt.device.is_some() || receipt.bulk.is_some() {
        return Err(ReceiptError::WrongView("a payee's receipt hides the payer's part and device"));
    }
    let part = PayeePart::decode(content).map_err(|_| ReceiptError::WrongView("the payee's part is unreadable"))?;
    verified.description = Some(part.description).filter(|text| !text.is_empty());
    verified.not_proven.push("the order's signature, which only the payer's receipt shows");
    Ok(())
}

fn check_payer(receipt: &Receipt, verified: &mut Verified) -> Result<(), ReceiptError> {
    if matches!(receipt.payee, Part::Shown { .. }) {
        return Err(ReceiptError::WrongView("a payer's receipt hides the payee's part"));
    }
    match (receipt.core.authority.device(), &receipt.payer, &receipt.device) {
        (Some(device), Part::Shown { content, .. }, Some(proof)) => {
            let part =
                PayerPart::decode(content).map_err(|_| ReceiptError::WrongView("the payer's part is unreadable"))?;
            check_device(device, proof, receipt.core.sequence, &verified.checkpoint)?;
            check_signature(&part, receipt.bulk.as_ref(), proof, &receipt.core, &verified.checkpoint.origin)?;
            check_order(&part.order, &receipt.core, verified)?;
            verified.signer = Some(proof.core.person);
            verified.not_proven.push("that the device had not been revoked");
            Ok(())
        }
        (None, Part::Hash(_), None) if receipt.bulk.is_none() => {
            verified.not_proven.push("that the rule of the bank was applied rightly");
            Ok(())
        }
        (Some(_), _, _) => Err(ReceiptError::WrongView("a payer's receipt shows the signed order and its device")),
        (None, _, _) => Err(ReceiptError::WrongView("a rule of the bank has no signed order and no device")),
    }
}

/// The device's leaf stands before the posting and registers this device.
fn check_device(
    device: DeviceId,
    proof: &DeviceProof,
    sequence: u64,
    checkpoint: &Checkpoint,
) -> Result<(), ReceiptError> {
    if proof.core.device != device || proof.core.change != DeviceChange::Registered {
        return Err(ReceiptError::Device("the leaf does not register the device that the posting names"));
    }
    if proof.index >= sequence {
        return Err(ReceiptError::Device("it was registered after the posting"));
    }
    let core = leaf::part_hash(leaf::CORE, &proof.salt, &proof.core.encode());
    let commitment = leaf::commitment(Kind::Device, &core, &leaf::ABSENT, &leaf::ABSENT);
    if !is_included(&commitment, proof.index, &proof.path, checkpoint) {
        return Err(ReceiptError::Device("its content or its path was changed"));
    }
    Ok(())
}

/// The device signed exactly this order, for this bank and purpose.
fn check_signature(
    part: &PayerPart,
    bulk: Option<&BulkProof>,
    proof: &DeviceProof,
    core: &PostingCore,
    origin: &str,
) -> Result<(), ReceiptError> {
    let wrong = |why: &str| Err(ReceiptError::Signature(why.to_owned()));
    if sha256(&part.order) != core.order_sha256 {
        return wrong("the order is not the one that was posted");
    }
    let (jws, purpose, signed) = match (&part.signed, bulk) {
        (Signed::Alone(jws), None) if is_cash(core.kind) => (jws, "cash", part.order.clone()),
        (Signed::Alone(jws), None) => (jws, "order", part.order.clone()),
        // A bulk is signed as a whole; that this order is in it stands beside.
        (Signed::InBulk { jws_sha256, index }, Some(bulk)) => {
            if sha256(bulk.jws.as_bytes()) != *jws_sha256 || !bulk.holds(&part.order, *index) {
                return wrong("the order is not one of the bulk that was signed");
            }
            (&bulk.jws, "bulk", bulk.text().into_bytes())
        }
        _ => return wrong("the order was signed in another way than the receipt shows"),
    };
    let detached = jws::parse_detached(jws).map_err(|e| ReceiptError::Signature(e.to_string()))?;
    let protected = detached.protected();
    if protected.typ != purpose {
        return wrong("it was made for another purpose");
    }
    if protected.aud != origin {
        return wrong("it was made for another bank");
    }
    if protected.kid != proof.core.device.to_string() {
        return wrong("it was made by another device");
    }
    let late_s_max = if completes_hold(core) { HOLD_S_MAX + LATE_S_MAX } else { LATE_S_MAX };
    if core.time_us / 1_000_000 > protected.exp.saturating_add(late_s_max) {
        return wrong("it had expired when the bank carried it out");
    }
    let key =
        PublicKey::from_bytes(&proof.core.public_key).map_err(|_| ReceiptError::Device("its key is unreadable"))?;
    if detached.verify(&key, &signed) { Ok(()) } else { wrong("it does not match the order and the device's key") }
}

fn is_cash(kind: PostingKind) -> bool {
    matches!(kind, PostingKind::Deposit | PostingKind::Withdrawal)
}

/// Whether money was reserved by the order, and moved later.
fn completes_hold(core: &PostingCore) -> bool {
    core.refers == Some(core.transfer)
}

/// The order says what was posted.
fn check_order(order: &[u8], core: &PostingCore, verified: &mut Verified) -> Result<(), ReceiptError> {
    let unreadable = |_| ReceiptError::OtherOrder("the order is unreadable");
    if is_cash(core.kind) {
        let order = CashOrder::parse(order).map_err(unreadable)?;
        let customer = if core.kind == PostingKind::Deposit { core.to } else { core.from };
        check_amount(&order.amount, core)?;
        check_account(&order.account, customer, verified)?;
        verified.order_id = Some(order.order_id.to_string());
        verified.description = order.reference;
    } else if core.kind == PostingKind::Reversal {
        let order = FollowUpOrder::parse(order).map_err(unreadable)?;
        if order.action != FollowUp::Reverse || Some(order.transfer) != core.refers {
            return Err(ReceiptError::OtherOrder("it takes another posting back"));
        }
        verified.order_id = Some(order.order_id.to_string());
    } else {
        let order = TransferOrder::parse(order).map_err(unreadable)?;
        match order.hold {
            // A part of what was reserved may have been captured.
            Some(hold) if completes_hold(core) => {
                if hold.until_us.is_some_and(|until_us| core.time_us > until_us) {
                    return Err(ReceiptError::OtherOrder("it was captured after its time"));
                }
                check_amount_at_most(&order.amount, core)?;
            }
            Some(_) => return Err(ReceiptError::OtherOrder("it was to be reserved, and was posted at once")),
            _ => check_amount(&order.amount, core)?,
        }
        if completes_hold(core) {
            verified.not_proven.push("who captured or approved it, which stands in the log beside it");
        }
        check_account(&order.from, core.from, verified)?;
        check_account(&order.to, core.to, verified)?;
        verified.order_id = Some(order.order_id.to_string());
        verified.description = order.description;
    }
    Ok(())
}

fn check_amount(text: &AmountText, core: &PostingCore) -> Result<(), ReceiptError> {
    if text.currency != core.currency.to_string() {
        return Err(ReceiptError::OtherOrder("the currency differs"));
    }
    if core.currency.parse_amount(&text.amount) != Ok(core.amount) {
        return Err(ReceiptError::OtherOrder("the amount differs"));
    }
    Ok(())
}

fn check_amount_at_most(text: &AmountText, core: &PostingCore) -> Result<(), ReceiptError> {
    let most = core.currency.parse_amount(&text.amount).map_err(|_| ReceiptError::OtherOrder("the amount differs"))?;
    if text.currency != core.currency.to_string() || core.amount > most {
        return Err(ReceiptError::OtherOrder("more was posted than the order allows"));
    }
    Ok(())
}

/// An account named by id must be the posting's; what a number stands for only the bank knows.
fn check_account(text: &str, account: AccountId, verified: &mut Verified) -> Result<(), ReceiptError> {
    const BY_NUMBER: &str = "that the account number in the order stands for the posting's account";
    match text.parse::<AccountId>() {
        Ok(ordered) if ordered != account => return Err(ReceiptError::OtherOrder("an account differs")),
        Ok(_) => {}
        Err(_) if !verified.not_proven.contains(&BY_NUMBER) => verified.not_proven.push(BY_NUMBER),
        Err(_) => {}
    }
    Ok(())
}
