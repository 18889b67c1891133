//! From a signed body to the writer: proof that a device of this bank signed exactly these bytes
//! for this purpose, then everything slow (hashing, sealing) before the order queues.

use std::sync::Arc;

use strongroom_crypto::digest::sha256;
use strongroom_crypto::jws;
use strongroom_crypto::random;
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::action::Action;
use strongroom_ledger::decide::Posting;
use strongroom_ledger::id::{AccountId, DeviceId, PersonId, TransferId};
use strongroom_ledger::leaf::{Authority, PayeePart, PayerPart, PostingKind, Signed};
use strongroom_ledger::merkle::Hash;
use strongroom_ledger::money::Currency;
use strongroom_ledger::number;
use strongroom_ledger::order::{
    AmountText, ApprovalOrder, CashOrder, FollowUp, FollowUpOrder, Malformed, TransferOrder,
};
use strongroom_ledger::refusal::Refusal;
use strongroom_store::Id;
use strongroom_store::accounts;
use strongroom_store::holds;
use strongroom_store::identity;
use strongroom_store::money as store;

use crate::audit::{Event, Source};
use crate::factor::NOBODY;
use crate::factor::proof::Proof;
use crate::keyring::indexes::Field;
use crate::money::hold::Ending;
use crate::money::{self, Command, Parts, Placed};
use crate::queue::Lane;
use crate::rows::Authenticated;
use crate::sessions::Caller;
use crate::sign_in::try_factor;
use crate::tx::Tx;
use crate::writer::Task;
use crate::{Bank, Error, Result, clock};

/// How far ahead an order's expiry may lie.
const EXPIRY_AHEAD_S_MAX: i64 = 600;

/// A kind of order: how it parses and which purpose its signature names.
pub trait SignedOrder: Sized {
    /// The `typ` of its signature.
    const PURPOSE: &'static str;
    /// Reads the exact body, strictly.
    fn parse(body: &[u8]) -> std::result::Result<Self, Malformed>;
}

impl SignedOrder for TransferOrder {
    const PURPOSE: &'static str = "order";
    fn parse(body: &[u8]) -> std::result::Result<Self, Malformed> {
        TransferOrder::parse(body)
    }
}

impl SignedOrder for FollowUpOrder {
    const PURPOSE: &'static str = "order";
    fn parse(body: &[u8]) -> std::result::Result<Self, Malformed> {
        FollowUpOrder::parse(body)
    }
}

impl SignedOrder for CashOrder {
    const PURPOSE: &'static str = "cash";
    fn parse(body: &[u8]) -> std::result::Result<Self, Malformed> {
        CashOrder::parse(body)
    }
}

impl SignedOrder for ApprovalOrder {
    const PURPOSE: &'static str = "approval";
    fn parse(body: &[u8]) -> std::result::Result<Self, Malformed> {
        ApprovalOrder::parse(body)
    }
}

/// An order whose signature holds: a device of the caller signed exactly this body for this
/// bank and purpose, and the signature had not expired. It proves nothing that can change: the
/// writer reads device, session, role and ownership again.
pub struct Verified<T> {
    pub(crate) order: T,
    body: Vec<u8>,
    pub(crate) signature: String,
    pub(crate) device: DeviceId,
    pub(crate) caller: Caller,
    /// The bulk that it came in, by the hash of its signature, and its place there.
    bulk: Option<(Hash, u64)>,
}

impl Bank {
    /// Checks a signed body. Malformed bodies are 400, signatures that do not hold 403.
    pub async fn verify_order<T: SignedOrder>(
        &self,
        caller: &Caller,
        signature: Option<&str>,
        body: &[u8],
    ) -> Result<Verified<T>> {
        let order = T::parse(body).map_err(|e| Error::Malformed(e.to_string()))?;
        let device = self.signed_by::<T>(caller.person, signature, body, "the signing device").await?;
        let signature = signature.unwrap_or_default().to_owned();
        Ok(Verified { order, body: body.to_vec(), signature, device, caller: caller.clone(), bulk: None })
    }

    /// The device of a person that has signed exactly this body, for this bank and purpose.
    pub(crate) async fn signed_by<T: SignedOrder>(
        &self,
        person: Id,
        signature: Option<&str>,
        body: &[u8],
        whose: &str,
    ) -> Result<DeviceId> {
        self.signed_for(T::PURPOSE, person, signature, body, whose).await
    }

    pub(crate) async fn signed_for(
        &self,
        purpose: &str,
        person: Id,
        signature: Option<&str>,
        body: &[u8],
        whose: &str,
    ) -> Result<DeviceId> {
        let signature = signature.ok_or_else(|| Error::bad_signature("the header x-jws-signature is missing"))?;
        let detached = jws::parse_detached(signature).map_err(|e| Error::bad_signature(&e.to_string()))?;
        let protected = detached.protected();
        let now_s = clock::now_us() / 1_000_000;
        if protected.typ != purpose {
            return Err(Error::bad_signature("it was made for another purpose"));
        }
        if protected.aud != self.origin() {
            return Err(Error::bad_signature("it was made for another bank"));
        }
        if protected.exp <= now_s {
            return Err(Error::bad_signature("it has expired"));
        }
        if protected.exp > now_s + EXPIRY_AHEAD_S_MAX {
            return Err(Error::bad_signature("it expires more than ten minutes ahead"));
        }
        let device: DeviceId = protected.kid.parse().map_err(|_| Error::bad_signature("its kid is not a device id"))?;
        let (owner, key) = self.device_key(device).await?;
        if owner != person {
            return Err(Error::bad_signature(&format!("{whose} is another person's")));
        }
        if !detached.verify(&key, body) {
            return Err(Error::bad_signature("it does not match the body"));
        }
        Ok(device)
    }

    /// A device's owner and public key: facts that never change, so they are cached.
    async fn device_key(&self, device: DeviceId) -> Result<(Id, Arc<PublicKey>)> {
        if let Some(known) = self.known_devices.find(&device.0) {
            return Ok(known);
        }
        let keys = self.keys.clone();
        let row = self
            .read(move |c| Ok(identity::devices(c, &[device.0])?.pop().filter(|row| row.check(&keys).is_ok())))
            .await?;
        let unknown = || Error::bad_signature("the signing device is not known");
        let row = row.ok_or_else(unknown)?;
        let key = Arc::new(PublicKey::from_bytes(&row.public_key).map_err(|_| unknown())?);
        self.known_devices.keep(device.0, (row.person, key.clone()));
        Ok((row.person, key))
    }

    /// Places a customer's transfer; with `hold` the money is reserved first.
    pub async fn transfer(&self, verified: Verified<TransferOrder>) -> Result<Placed> {
        let command = self.transfer_command(verified).await?;
        self.place(command).await
    }

    pub(crate) async fn transfer_command(&self, verified: Verified<TransferOrder>) -> Result<Command> {
        let order = &verified.order;
        let posting = self.posting(&order.from, &order.to, &order.amount).await?;
        let owners = self.owners(&posting).await?;
        let action = match &order.hold {
            None => Action::Post(PostingKind::Transfer),
            // An account without an owner is refused by the writer.
            Some(hold) => Action::Reserve {
                capturer: hold.capturer.or(owners[1].map(PersonId)).unwrap_or(PersonId(NOBODY)),
                until_us: hold.until_us,
            },
        };
        let description = order.description.clone().unwrap_or_default();
        let order_id = order.order_id.to_string();
        let transfer = TransferId::from_time(clock::now_us(), random::bytes());
        let parts = self.parts(&verified, transfer, owners, &description)?;
        Ok(verified.command(self, transfer, action, order_id, posting, parts))
    }

    /// Places a teller's deposit: the bank's cash account pays, the customer receives.
    pub async fn deposit(&self, verified: Verified<CashOrder>) -> Result<Placed> {
        let order = &verified.order;
        let cash = self.cash_account().to_string();
        let posting = self.posting(&cash, &order.account, &order.amount).await?;
        let command = self.cash_command(verified, PostingKind::Deposit, posting).await?;
        self.place(command).await
    }

    /// Places a teller's withdrawal, to which the customer agrees by a signature over the same order, or by a code.
    pub async fn withdraw(&self, verified: Verified<CashOrder>, consent: Consent, source: &Source) -> Result<Placed> {
        let order = &verified.order;
        let cash = self.cash_account().to_string();
        let posting = self.posting(&order.account, &cash, &order.amount).await?;
        let owner = self.owners(&posting).await?[0];
        let device = match (&consent, owner) {
            (Consent::Signature(signature), Some(owner)) => {
                let whose = "the customer's consent";
                // Over the teller's own signature: it agrees to what this teller has ordered, once, and to nothing else.
                let ordered = verified.signature.as_bytes();
                Some(self.signed_by::<CashOrder>(owner, Some(signature), ordered, whose).await?)
            }
            _ => None,
        };
        let command = self.cash_command(verified, PostingKind::Withdrawal, posting).await?;
        let source = source.clone();
        let placed = self
            .change(move |tx| {
                if let Some(owner) = owner
                    && !agrees(tx, &owner, &consent, device, &command, &source)?
                {
                    return Ok(None);
                }
                Ok(money::apply(tx, &[&command])?.pop())
            })
            .await?;
        placed.unwrap_or_else(|| {
            Err(Error::forbidden(
                "consent_refused",
                "The customer's code is wrong, was used before, or came too often.",
            ))
        })
    }

    /// Captures or releases a reservation, or takes a posting back.
    pub async fn follow_up(&self, id: TransferId, verified: Verified<FollowUpOrder>) -> Result<Placed> {
        let order = &verified.order;
        if order.transfer != id {
            return Err(Error::bad_signature("it is about another transfer"));
        }
        let (action, amount, whole) = (order.action, order.amount.clone(), self.stands(id).await?);
        let posting = match (action, whole) {
            (_, None) => Err(Refusal::NotFound),
            (FollowUp::Reverse, Some(Standing::Posted(posted))) => {
                Ok(Posting { from: posted.to, to: posted.from, ..posted })
            }
            (FollowUp::Reverse, Some(Standing::Reserved(_))) => Err(Refusal::NotFound),
            (_, Some(Standing::Posted(posting) | Standing::Reserved(posting))) => part_of(posting, amount.as_ref()),
        };
        let order_id = order.order_id.to_string();
        let (transfer, action, parts) = match action {
            FollowUp::Capture => (id, Action::Capture(id), Parts::default()),
            FollowUp::Release => (id, Action::Release(id), Parts::default()),
            FollowUp::Reverse => {
                let transfer = TransferId::from_time(clock::now_us(), random::bytes());
                let owners = self.owners(&posting).await?;
                (transfer, Action::Reverse(id), self.parts(&verified, transfer, owners, "")?)
            }
        };
        self.place(verified.command(self, transfer, action, order_id, posting, parts)).await
    }

    async fn cash_command(
        &self,
        verified: Verified<CashOrder>,
        kind: PostingKind,
        posting: std::result::Result<Posting, Refusal>,
    ) -> Result<Command> {
        let owners = self.owners(&posting).await?;
        let reference = verified.order.reference.clone().unwrap_or_default();
        let order_id = verified.order.order_id.to_string();
        let transfer = TransferId::from_time(clock::now_us(), random::bytes());
        let parts = self.parts(&verified, transfer, owners, &reference)?;
        Ok(verified.command(self, transfer, Action::Post(kind), order_id, posting, parts))
    }

    /// What stands under a transfer's id: facts that never change.
    async fn stands(&self, id: TransferId) -> Result<Option<Standing>> {
        let keys = self.keys.clone();
        self.read(move |c| {
            if let Some(row) = holds::by_ids(c, &[id.0], false)?.pop() {
                row.check(&keys)?;
                let posted = store::transfer(c, &id.0)?.filter(|row| row.check(&keys).is_ok());
                let reserved = posting_of(row.from, row.to, row.amount, &row.currency).map(Standing::Reserved);
                let posted = posted.and_then(|row| posting_of(row.from, row.to, row.amount, &row.currency));
                return Ok(posted.map(Standing::Posted).or(reserved));
            }
            let Some(row) = store::transfer(c, &id.0)? else { return Ok(None) };
            row.check(&keys)?;
            // What took something back is not taken back itself: order anew.
            let is_reversal = row.kind == PostingKind::Reversal as i64;
            let posting = posting_of(row.from, row.to, row.amount, &row.currency);
            Ok(posting.filter(|_| !is_reversal).map(Standing::Posted))
        })
        .await
    }

    async fn place(&self, command: Command) -> Result<Placed> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let task = Task::Money(Box::new(command), reply);
        self.queue.push(Lane::Money, task).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// Resolves accounts and amount; what is wrong with them is a refusal that the writer records.
    async fn posting(
        &self,
        from: &str,
        to: &str,
        amount: &AmountText,
    ) -> Result<std::result::Result<Posting, Refusal>> {
        let from = match self.resolve(from).await? {
            Ok(from) => from,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let to = match self.resolve(to).await? {
            Ok(to) => to,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let parsed = amount.currency.parse::<Currency>().map_err(|_| Refusal::CurrencyMismatch);
        Ok(parsed
            .and_then(|currency| Ok(Posting { from, to, amount: currency.parse_amount(&amount.amount)?, currency })))
    }

    /// An account by id or number.
    async fn resolve(&self, text: &str) -> Result<std::result::Result<AccountId, Refusal>> {
        if let Ok(id) = text.parse::<AccountId>() {
            return Ok(Ok(id));
        }
        if !text.starts_with(|c: char| c.is_ascii_digit()) && text.len() < 15 {
            return Ok(Err(Refusal::NotFound));
        }
        let normal = match number::check(text) {
            Ok((_, normal)) => normal,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let indexes = self.keys.indexes().all(Field::Number, &normal);
        let index = indexes[0];
        if let Some(id) = self.known_numbers.find(&index) {
            return Ok(Ok(AccountId(id)));
        }
        let keys = self.keys.clone();
        let found =
            self.read(move |c| Ok(accounts::by_number(c, &indexes)?.filter(|row| row.check(&keys).is_ok()))).await?;
        let Some(row) = found else { return Ok(Err(Refusal::NotFound)) };
        self.known_numbers.keep(index, row.id);
        Ok(Ok(AccountId(row.id)))
    }

    /// Who owns the two accounts: whose keys seal the two parts.
    async fn owners(&self, posting: &std::result::Result<Posting, Refusal>) -> Result<[Option<Id>; 2]> {
        let Ok(posting) = posting else { return Ok([None, None]) };
        Ok([self.owner(posting.from.0).await?, self.owner(posting.to.0).await?])
    }

    pub(crate) async fn owner(&self, account: Id) -> Result<Option<Id>> {
        if let Some(owner) = self.known_owners.find(&account) {
            return Ok(owner);
        }
        let keys = self.keys.clone();
        let row = self
            .read(move |c| Ok(accounts::by_ids(c, &[account], false)?.pop().filter(|row| row.check(&keys).is_ok())))
            .await?;
        let Some(row) = row else { return Ok(None) };
        self.known_owners.keep(account, row.owner);
        Ok(row.owner)
    }
}

/// How a customer agrees to a withdrawal.
#[derive(Clone, Debug)]
pub enum Consent {
    /// By a signature of their device over the teller's (the value of its header).
    Signature(String),
    /// By a code of an authenticator, or one on paper.
    Code(Proof),
}

/// What stands under a transfer's id.
enum Standing {
    Posted(Posting),
    Reserved(Posting),
}

fn posting_of(from: Id, to: Id, amount: i64, currency: &str) -> Option<Posting> {
    Some(Posting { from: AccountId(from), to: AccountId(to), amount, currency: currency.parse().ok()? })
}

/// A part of what is reserved, or all of it.
fn part_of(whole: Posting, part: Option<&AmountText>) -> std::result::Result<Posting, Refusal> {
    let Some(part) = part else { return Ok(whole) };
    let currency = part.currency.parse::<Currency>().map_err(|_| Refusal::CurrencyMismatch)?;
    Ok(Posting { amount: currency.parse_amount(&part.amount)?, currency, ..whole })
}

/// Whether the customer agrees, now.
fn agrees(
    tx: &mut Tx<'_>,
    owner: &Id,
    consent: &Consent,
    device: Option<DeviceId>,
    command: &Command,
    source: &Source,
) -> Result<bool> {
    // What is refused anyway, was answered before, or is not this teller's to order asks nobody for anything.
    if !money::is_wanted(tx, command)? {
        return Ok(true);
    }
    let agreed = match consent {
        Consent::Code(proof) => try_factor(tx, owner, None, proof, source)?,
        Consent::Signature(_) => {
            let row = identity::devices(tx.connection, &[device.unwrap_or(DeviceId(NOBODY)).0])?.pop();
            let row = row.filter(|row| row.person == *owner && row.revoked_us.is_none());
            row.is_some_and(|row| row.check(tx.keys).is_ok())
        }
    };
    if agreed {
        tx.audit(Event::of(*owner, "withdrawal.agreed").on(command.transfer.0))?;
    }
    Ok(agreed)
}

impl Bank {
    fn parts<T>(
        &self,
        verified: &Verified<T>,
        transfer: TransferId,
        owners: [Option<Id>; 2],
        description: &str,
    ) -> Result<Parts> {
        let salts: [Id; 3] = [random::bytes(), random::bytes(), random::bytes()];
        let signed = match verified.bulk {
            Some((jws_sha256, index)) => Signed::InBulk { jws_sha256, index },
            None => Signed::Alone(verified.signature.clone()),
        };
        let payer = PayerPart { order: verified.body.clone(), signed };
        let payee = PayeePart { description: description.to_owned() };
        Parts::seal(&self.keys, transfer, owners, salts, &payer, &payee)
    }
}

impl<T> Verified<T> {
    /// An order of a bulk, whose signature holds for all of it.
    pub(crate) fn of_bulk(order: T, body: Vec<u8>, device: DeviceId, caller: &Caller, bulk: (Hash, u64)) -> Self {
        Verified { order, body, signature: String::new(), device, caller: caller.clone(), bulk: Some(bulk) }
    }

    /// The order.
    pub fn order(&self) -> &T {
        &self.order
    }

    fn command(
        self,
        bank: &Bank,
        transfer: TransferId,
        action: Action,
        order_id: String,
        posting: std::result::Result<Posting, Refusal>,
        parts: Parts,
    ) -> Command {
        let currency = posting.as_ref().map_or(bank.currency, |posting| posting.currency);
        Command {
            transfer,
            action,
            person: self.caller.person,
            session: self.caller.session,
            device: self.device.0,
            order_id,
            order_hash: sha256(&self.body),
            posting,
            approval_above: bank.config.limits.approval_above(currency),
            parts,
        }
    }

    /// By whose will something ends.
    pub(crate) fn ending(&self) -> Ending {
        let authority = Authority::StaffDevice(self.device);
        Ending { person: self.caller.person, order_id: None, authority, order_hash: sha256(&self.body) }
    }
}
