//! Orders as their signers wrote them. Parsing is strict, so that an order means the same to
//! everyone who reads it: unknown fields, duplicate keys and other types are refused by name.

use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::id::{PersonId, TransferId};
use crate::merkle::{self, Hash};

/// The longest description or reference, in characters.
pub const DESCRIPTION_CHARS_MAX: usize = 140;
/// Nothing is reserved for longer than 31 days.
pub const HOLD_S_MAX: i64 = 31 * 24 * 3600;
/// Orders of one bulk.
pub const BULK_ORDERS_MAX: usize = 10_000;
const ACCOUNT_CHARS_MAX: usize = 64;

/// A customer's order to move money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferOrder {
    /// The customer's own id for it.
    pub order_id: OrderId,
    /// The account debited: an id or a number.
    pub from: String,
    /// The account credited: an id or a number.
    pub to: String,
    /// How much.
    pub amount: AmountText,
    /// What for; the payee reads it too.
    pub description: Option<String>,
    /// Reserve the money now and move it on capture.
    pub hold: Option<Hold>,
}

/// The terms on which money is reserved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hold {
    /// Who may capture or release it; left out, the payee.
    pub capturer: Option<PersonId>,
    /// Until when, in microseconds UTC; left out, seven days.
    pub until_us: Option<i64>,
}

/// What is to become of a transfer that stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowUp {
    /// The reserved money moves, or a part of it.
    Capture,
    /// Nothing moves; the reserved money is free again.
    Release,
    /// What was posted is taken back.
    Reverse,
}

impl FollowUp {
    /// What its word says.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [FollowUp::Capture, FollowUp::Release, FollowUp::Reverse].into_iter().find(|action| action.name() == name)
    }

    /// Its word in orders and paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FollowUp::Capture => "capture",
            FollowUp::Release => "release",
            FollowUp::Reverse => "reverse",
        }
    }
}

/// An order about a transfer that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowUpOrder {
    /// Its giver's own id for it.
    pub order_id: OrderId,
    /// What is to become of it.
    pub action: FollowUp,
    /// The transfer.
    pub transfer: TransferId,
    /// How much is captured; left out, all of it.
    pub amount: Option<AmountText>,
}

/// A teller's order that takes in or pays out cash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CashOrder {
    /// The teller's own id for it.
    pub order_id: OrderId,
    /// The customer's account: an id or a number.
    pub account: String,
    /// How much.
    pub amount: AmountText,
    /// A note for the statement.
    pub reference: Option<String>,
}

/// Many transfers, signed as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkOrder {
    /// The RFC 6962 root of the orders.
    pub root: Hash,
    /// Their leaf hashes.
    pub leaves: Vec<Hash>,
    /// All of them are carried out, or none.
    pub linked: bool,
    /// The orders, each as it is hashed and read.
    pub orders: Vec<String>,
}

/// The approval of exactly what someone else has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalOrder {
    /// The id of the request.
    pub approval: String,
    /// SHA-256 of the request as the bank keeps it, in hexadecimal digits.
    pub digest: String,
}

/// An amount as it was written: a decimal string and a currency, not yet judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountText {
    /// The decimal string.
    pub amount: String,
    /// The currency's three letters.
    pub currency: String,
}

/// The id that the person who orders chose: 1 to 64 of `A-Z a-z 0-9 _ -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(String);

impl TransferOrder {
    /// Reads the exact body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(borrow)]
            order_id: &'a RawValue,
            #[serde(borrow)]
            from: &'a RawValue,
            #[serde(borrow)]
            to: &'a RawValue,
            #[serde(borrow)]
            amount: &'a RawValue,
            #[serde(borrow)]
            description: Option<&'a RawValue>,
            #[serde(borrow)]
            hold: Option<&'a RawValue>,
        }
        let fields: Fields<'_> = object("", body)?;
        Ok(TransferOrder {
            order_id: order_id(fields.order_id)?,
            from: account("from", fields.from)?,
            to: account("to", fields.to)?,
            amount: AmountText::parse(fields.amount)?,
            description: fields.description.map(|raw| words("description", raw)).transpose()?,
            hold: fields.hold.map(hold).transpose()?.flatten(),
        })
    }
}

impl FollowUpOrder {
    /// Reads the exact body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(borrow)]
            order_id: &'a RawValue,
            #[serde(borrow)]
            action: &'a RawValue,
            #[serde(borrow)]
            transfer: &'a RawValue,
            #[serde(borrow)]
            amount: Option<&'a RawValue>,
        }
        let fields: Fields<'_> = object("", body)?;
        let action: String = value("action", fields.action)?;
        let action = FollowUp::from_name(&action)
            .ok_or_else(|| malformed("action", "it must be capture, release or reverse"))?;
        let transfer: String = value("transfer", fields.transfer)?;
        let amount = fields.amount.map(AmountText::parse).transpose()?;
        if amount.is_some() && action != FollowUp::Capture {
            return Err(malformed("amount", "only a capture can be for a part"));
        }
        Ok(FollowUpOrder {
            order_id: order_id(fields.order_id)?,
            action,
            transfer: transfer.parse().map_err(|_| malformed("transfer", "it must be a transfer's id"))?,
            amount,
        })
    }
}

impl BulkOrder {
    /// Reads the exact body; its root and its count are those of its orders.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields {
            root: String,
            count: u64,
            linked: bool,
            orders: Vec<String>,
        }
        let Fields { root, count, linked, orders } = object("", body)?;
        if orders.is_empty() || orders.len() > BULK_ORDERS_MAX {
            return Err(malformed("orders", format!("it must have 1 to {BULK_ORDERS_MAX} orders")));
        }
        if count != orders.len() as u64 {
            return Err(malformed("count", "it must be the number of orders"));
        }
        let leaves: Vec<Hash> = orders.iter().map(|order| merkle::leaf_hash(order.as_bytes())).collect();
        let computed = merkle::root_of(&leaves);
        let written: String = computed.iter().map(|byte| format!("{byte:02x}")).collect();
        match root == written {
            true => Ok(BulkOrder { root: computed, leaves, linked, orders }),
            false => Err(malformed("root", "it must be the RFC 6962 root of the orders, in hexadecimal digits")),
        }
    }
}

impl CashOrder {
    /// Reads the exact body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(borrow)]
            order_id: &'a RawValue,
            #[serde(borrow)]
            account: &'a RawValue,
            #[serde(borrow)]
            amount: &'a RawValue,
            #[serde(borrow)]
            reference: Option<&'a RawValue>,
        }
        let fields: Fields<'_> = object("", body)?;
        Ok(CashOrder {
            order_id: order_id(fields.order_id)?,
            account: account("account", fields.account)?,
            amount: AmountText::parse(fields.amount)?,
            reference: fields.reference.map(|raw| words("reference", raw)).transpose()?,
        })
    }
}

impl ApprovalOrder {
    /// Reads the exact body.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(borrow)]
            approval: &'a RawValue,
            #[serde(borrow)]
            digest: &'a RawValue,
        }
        let fields: Fields<'_> = object("", body)?;
        Ok(ApprovalOrder { approval: value("approval", fields.approval)?, digest: value("digest", fields.digest)? })
    }
}

impl AmountText {
    fn parse(raw: &RawValue) -> Result<Self, Malformed> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Fields<'a> {
            #[serde(borrow)]
            amount: &'a RawValue,
            #[serde(borrow)]
            currency: &'a RawValue,
        }
        let fields: Fields<'_> = object("amount", raw.get().as_bytes())?;
        Ok(AmountText {
            amount: value("amount.amount", fields.amount)?,
            currency: value("amount.currency", fields.currency)?,
        })
    }
}

impl OrderId {
    /// An order id, when the text can be one.
    pub fn new(text: String) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        ((1..=64).contains(&text.len()) && text.bytes().all(is_allowed)).then_some(OrderId(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The body is not an order. It says which field is wrong, and never repeats a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The field, like `amount.currency`; empty when the body as a whole is meant.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field {
            "" => write!(f, "the body is not a valid order: {}", self.problem),
            field => write!(f, "the field `{field}` is not valid: {}", self.problem),
        }
    }
}

impl std::error::Error for Malformed {}

fn malformed(field: &'static str, problem: impl Into<String>) -> Malformed {
    Malformed { field, problem: problem.into() }
}

/// Reads one object; its missing, unknown and repeated fields are named by the parser's message.
fn object<'a, T: Deserialize<'a>>(field: &'static str, json: &'a [u8]) -> Result<T, Malformed> {
    // A struct can be read from a JSON array too, which no order may be.
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(malformed(field, "it must be a JSON object"));
    }
    serde_json::from_slice(json).map_err(|e| malformed(field, e.to_string()))
}

fn value<T: DeserializeOwned>(field: &'static str, raw: &RawValue) -> Result<T, Malformed> {
    serde_json::from_str(raw.get()).map_err(|_| malformed(field, "it must be a string"))
}

/// `true`, `false`, or the terms.
fn hold(raw: &RawValue) -> Result<Option<Hold>, Malformed> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields<'a> {
        #[serde(borrow)]
        capturer: Option<&'a RawValue>,
        #[serde(borrow)]
        until: Option<&'a RawValue>,
    }
    match raw.get() {
        "true" => return Ok(Some(Hold::default())),
        "false" => return Ok(None),
        text if !text.starts_with('{') => return Err(malformed("hold", "it must be true or false, or its terms")),
        _ => {}
    }
    let fields: Fields<'_> = object("hold", raw.get().as_bytes())?;
    let capturer = fields.capturer.map(|raw| value::<String>("hold.capturer", raw)).transpose()?;
    let capturer = capturer.map(|id| id.parse()).transpose();
    let until = fields.until.map(|raw| value::<String>("hold.until", raw)).transpose()?;
    let until_us = until.map(|text| crate::time::from_text(&text).ok_or(())).transpose();
    Ok(Some(Hold {
        capturer: capturer.map_err(|_| malformed("hold.capturer", "it must be a person's id"))?,
        until_us: until_us.map_err(|()| malformed("hold.until", "it must be a time like 2030-01-31T12:00:00Z"))?,
    }))
}

fn order_id(raw: &RawValue) -> Result<OrderId, Malformed> {
    OrderId::new(value("order_id", raw)?)
        .ok_or_else(|| malformed("order_id", "it must be 1 to 64 of A-Z, a-z, 0-9, _ and -"))
}

fn account(field: &'static str, raw: &RawValue) -> Result<String, Malformed> {
    let text: String = value(field, raw)?;
    match text.chars().count() {
        1..=ACCOUNT_CHARS_MAX => Ok(text),
        _ => Err(malformed(field, "it must be an account id or an account number")),
    }
}

fn words(field: &'static str, raw: &RawValue) -> Result<String, Malformed> {
    let text: String = value(field, raw)?;
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(malformed(field, format!("it must have at most {DESCRIPTION_CHARS_MAX} characters")));
    }
    if text.chars().any(char::is_control) {
        return Err(malformed(field, "it must not hold control characters such as line breaks"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"order_id":"o-1","from":"acct_1","to":"032180000118359719","amount":{"amount":"12.50","currency":"USD"},"description":"Miete"}"#;

    #[test]
    fn a_good_order_is_read_as_written() {
        let order = TransferOrder::parse(GOOD.as_bytes()).unwrap();
        assert_eq!(order.order_id.as_str(), "o-1");
        assert_eq!(order.amount, AmountText { amount: "12.50".into(), currency: "USD".into() });
        assert_eq!((order.description.as_deref(), order.hold), (Some("Miete"), None));
        let held = GOOD.replace("\"Miete\"}", "\"Miete\",\"hold\":{\"until\":\"2030-01-31T12:00:00Z\"}}");
        let held = TransferOrder::parse(held.as_bytes()).unwrap().hold.unwrap();
        assert_eq!((held.capturer, held.until_us), (None, crate::time::from_text("2030-01-31T12:00:00Z")));
        let spaced = format!(" \n{} ", GOOD.replace("}}", "},\"hold\" : true }"));
        assert!(TransferOrder::parse(spaced.replace(",\"description\"", " ,\"description\"").as_bytes()).is_ok());
        let cash = br#"{"order_id":"c","account":"acct_1","amount":{"amount":"1","currency":"USD"},"reference":null}"#;
        assert_eq!(CashOrder::parse(cash).unwrap().reference, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(141);
        for (from, to, field, says) in [
            ("\"order_id\"", "\"orderid\"", "", "orderid"),
            ("\"to\":", "\"from\":", "", "duplicate field `from`"),
            ("\"currency\":", "\"amount\":", "amount", "duplicate field `amount`"),
            ("\"USD\"", "\"USD\",\"x\":1", "amount", "unknown field `x`"),
            ("\"12.50\"", "12.50", "amount.amount", "string"),
            ("\"o-1\"", "\"\"", "order_id", "1 to 64"),
            ("\"o-1\"", "\"a b\"", "order_id", "1 to 64"),
            ("\"o-1\"", "7", "order_id", "string"),
            ("\"acct_1\"", "\"\"", "from", "account"),
            ("\"acct_1\"", "null", "from", "string"),
            ("Miete", &long, "description", "140"),
            ("Miete", "a\\nb", "description", "control"),
            ("Miete", "\\ud800", "description", "string"),
            ("\"Miete\"", "\"\",\"hold\":1", "hold", "true or false"),
            ("\"Miete\"", "\"\",\"hold\":{\"who\":1}", "hold", "unknown field `who`"),
            ("\"Miete\"", "\"\",\"hold\":{\"capturer\":\"me\"}", "hold.capturer", "person"),
            ("\"Miete\"", "\"\",\"hold\":{\"until\":\"soon\"}", "hold.until", "time"),
            ("{\"order_id", "[{\"order_id", "", "object"),
            ("\"Miete\"}", "\"Miete\"}x", "", "trailing"),
            (GOOD, "", "", "object"),
        ] {
            let body = GOOD.replacen(from, to, 1);
            let wrong = TransferOrder::parse(body.as_bytes()).expect_err(&body);
            assert_eq!(wrong.field, field, "{body}");
            assert!(wrong.to_string().contains(says), "{wrong} should say {says}");
        }
        assert!(TransferOrder::parse(&[GOOD.as_bytes()[..100].to_vec(), vec![0xff]].concat()).is_err());
        let mut broken = GOOD.as_bytes().to_vec();
        let place = GOOD.find("Miete").unwrap();
        broken[place] = 0xff;
        assert!(TransferOrder::parse(&broken).is_err(), "not UTF-8");
    }

    #[test]
    fn what_is_to_become_of_a_transfer_is_named_in_the_order() {
        let transfer = TransferId([7; 16]);
        let body = format!(r#"{{"order_id":"f-1","action":"capture","transfer":"{transfer}"}}"#);
        let order = FollowUpOrder::parse(body.as_bytes()).unwrap();
        assert_eq!((order.action, order.transfer, order.amount), (FollowUp::Capture, transfer, None));
        for (from, to, field) in [
            ("capture", "cancel", "action"),
            ("xfer_", "acct_", "transfer"),
            ("capture\"", "release\",\"amount\":{\"amount\":\"1\",\"currency\":\"USD\"}", "amount"),
            ("\"action\"", "\"act\"", ""),
        ] {
            let wrong = FollowUpOrder::parse(body.replacen(from, to, 1).as_bytes()).expect_err(to);
            assert_eq!(wrong.field, field);
        }
    }

    #[test]
    fn a_bulk_says_what_it_holds() {
        let orders = [GOOD, GOOD];
        let leaves: Vec<Hash> = orders.iter().map(|order| merkle::leaf_hash(order.as_bytes())).collect();
        let root: String = merkle::root_of(&leaves).iter().map(|byte| format!("{byte:02x}")).collect();
        let body = serde_json::json!({"root": root, "count": 2, "linked": true, "orders": orders}).to_string();
        let bulk = BulkOrder::parse(body.as_bytes()).unwrap();
        assert_eq!((bulk.orders.len(), bulk.linked), (2, true));
        for (from, to, field) in [
            ("\"count\":2", "\"count\":3", "count"),
            ("12.50", "12.51", "root"),
            ("\"linked\":true", "\"linked\":1", ""),
            ("\"linked\"", "\"link\"", ""),
        ] {
            assert_eq!(BulkOrder::parse(body.replacen(from, to, 1).as_bytes()).expect_err(to).field, field);
        }
        assert!(BulkOrder::parse(br#"{"root":"","count":0,"linked":false,"orders":[]}"#).is_err());
    }

    #[test]
    fn an_order_id_has_up_to_64_characters() {
        assert!(OrderId::new("A_z-9".repeat(12) + "abcd").is_some());
        assert!(OrderId::new("x".repeat(65)).is_none());
        assert!(OrderId::new("é".into()).is_none());
    }
}
