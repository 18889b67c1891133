//! From a signed body to the writer: proof that a device of this bank signed exactly these bytes
//! for this purpose, then everything slow (hashing, sealing) before the order queues.

use std::sync::Arc;

use strongroom_crypto::digest::sha256;
use strongroom_crypto::jws;
use strongroom_crypto::random;
use strongroom_crypto::sign::PublicKey;
use strongroom_ledger::id::{AccountId, DeviceId, TransferId};
use strongroom_ledger::leaf::{self, PayeePart, PayerPart, PostingKind};
use strongroom_ledger::money::Currency;
use strongroom_ledger::number;
use strongroom_ledger::order::{AmountText, ApprovalOrder, CashOrder, Malformed, TransferOrder};
use strongroom_ledger::refusal::Refusal;
use strongroom_store::Id;
use strongroom_store::accounts;
use strongroom_store::identity;

use crate::keyring::column;
use crate::keyring::indexes::Field;
use crate::money::{Command, Intent, Placed};
use crate::queue::Lane;
use crate::rows::Authenticated;
use crate::sessions::Caller;
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
        let signature = signature.ok_or_else(|| Error::bad_signature("the header x-jws-signature is missing"))?;
        let detached = jws::parse_detached(signature).map_err(|e| Error::bad_signature(&e.to_string()))?;
        let protected = detached.protected();
        let now_s = clock::now_us() / 1_000_000;
        if protected.typ != T::PURPOSE {
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
        if owner != caller.person {
            return Err(Error::bad_signature("the signing device is another person's"));
        }
        if !detached.verify(&key, body) {
            return Err(Error::bad_signature("it does not match the body"));
        }
        Ok(Verified { order, body: body.to_vec(), signature: signature.to_owned(), device, caller: caller.clone() })
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

    /// Places a customer's transfer.
    pub async fn transfer(&self, verified: Verified<TransferOrder>) -> Result<Placed> {
        let order = &verified.order;
        if order.hold == Some(true) {
            let detail = "Holds are not offered yet. Leave hold out to move the money at once.";
            return Err(Error::field("hold", "not_offered", detail));
        }
        let intent = self.intent(&order.from, &order.to, &order.amount).await?;
        let owners = self.owners(&intent).await?;
        let description = order.description.clone().unwrap_or_default();
        let order_id = order.order_id.to_string();
        self.place(verified.prepare(self, PostingKind::Transfer, order_id, intent, owners, &description)?).await
    }

    /// Places a teller's deposit: the bank's cash account pays, the customer receives.
    pub async fn deposit(&self, verified: Verified<CashOrder>) -> Result<Placed> {
        let order = &verified.order;
        let cash = self.cash_account().to_string();
        let intent = self.intent(&cash, &order.account, &order.amount).await?;
        let owners = self.owners(&intent).await?;
        let reference = order.reference.clone().unwrap_or_default();
        let order_id = order.order_id.to_string();
        self.place(verified.prepare(self, PostingKind::Deposit, order_id, intent, owners, &reference)?).await
    }

    async fn place(&self, command: Command) -> Result<Placed> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let task = Task::Money(Box::new(command), reply);
        self.queue.push(Lane::Money, task).map_err(|_| Error::Busy)?;
        answer.await.map_err(|_| Error::Busy)?
    }

    /// Resolves accounts and amount; what is wrong with them is a refusal that the writer records.
    async fn intent(&self, from: &str, to: &str, amount: &AmountText) -> Result<std::result::Result<Intent, Refusal>> {
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
            .and_then(|currency| Ok(Intent { from, to, amount: currency.parse_amount(&amount.amount)?, currency })))
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
    async fn owners(&self, intent: &std::result::Result<Intent, Refusal>) -> Result<[Option<Id>; 2]> {
        let Ok(intent) = intent else { return Ok([None, None]) };
        Ok([self.owner(intent.from.0).await?, self.owner(intent.to.0).await?])
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

impl<T> Verified<T> {
    /// Hashes and seals the parts of the posting-to-be: the payer's under the payer's key, the
    /// payee's under the payee's; the bank's own side is sealed under the other party's, so that
    /// erasing a person erases everything written about them.
    fn prepare(
        self,
        bank: &Bank,
        kind: PostingKind,
        order_id: String,
        intent: std::result::Result<Intent, Refusal>,
        owners: [Option<Id>; 2],
        description: &str,
    ) -> Result<Command> {
        let transfer = TransferId::from_time(clock::now_us(), random::bytes());
        let salts: [Id; 3] = [random::bytes(), random::bytes(), random::bytes()];
        let order_hash = sha256(&self.body);
        let payer = PayerPart { order: self.body, jws: self.signature }.encode();
        let payee = PayeePart { description: description.to_owned() }.encode();
        let sealed = |owner: Option<Id>, column, salt: &Id, part: &[u8]| -> Result<Vec<u8>> {
            let Some(owner) = owner else { return Ok(Vec::new()) };
            match bank.keys.seal(Some(&owner), column, &transfer.0, &[salt.as_slice(), part].concat()) {
                // Who has been erased has closed accounts: the writer refuses, and seals nothing.
                Err(Error::Erased(_)) => Ok(Vec::new()),
                sealed => sealed,
            }
        };
        let [payer_owner, payee_owner] = owners;
        Ok(Command {
            kind,
            person: self.caller.person,
            session: self.caller.session,
            device: self.device.0,
            order_id,
            order_hash,
            intent,
            core_salt: salts[0],
            payer_hash: leaf::part_hash(leaf::PAYER, &salts[1], &payer),
            payee_hash: leaf::part_hash(leaf::PAYEE, &salts[2], &payee),
            payer: sealed(payer_owner.or(payee_owner), column::PAYER_PART, &salts[1], &payer)?,
            payee: sealed(payee_owner.or(payer_owner), column::PAYEE_PART, &salts[2], &payee)?,
            transfer,
        })
    }
}
