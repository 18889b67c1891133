//! Accounts, orders, postings and the log.

use serde::{Deserialize, Deserializer, Serialize};

bodies! {
    /// An amount of money: a decimal text with at most the currency's digits.
    Amount {
        /// Like `12.50`; never a number.
        amount: String,
        /// ISO 4217 code.
        currency: String,
    }

    /// `POST /v1/accounts`
    NewAccount {
        /// ISO 4217 code.
        currency: String,
        /// What its owner calls it.
        name: String,
    }

    /// An account.
    Account {
        /// `acct_…`
        id: String,
        /// What its owner calls it.
        name: String,
        /// With check digits.
        number: String,
        /// `clabe` or `iban`.
        number_scheme: String,
        /// ISO 4217 code.
        currency: String,
        /// `open`, `frozen` or `closed`.
        status: String,
        /// What it holds.
        balance: Amount,
        /// What is reserved of it.
        held: Amount,
        /// What may be spent.
        available: Amount,
        /// When it was opened.
        created_at: String,
    }

    /// One line of an account.
    Entry {
        /// Unique within the account.
        id: String,
        /// `xfer_…`
        transfer: String,
        /// The caller's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// Debits negative.
        amount: Amount,
        /// After this line.
        balance_after: Amount,
        /// When it was posted.
        time: String,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// The account on the other side: its id.
        counterparty: String,
        /// `transfer`, `deposit` …
        kind: String,
    }

    /// `PATCH /v1/accounts/{id}`: what is left out stays as it is.
    AccountChange {
        /// `open`, `frozen` or `closed`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
        /// How far below zero it may go.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overdraft: Option<Amount>,
        /// How much one order may take; null lifts the limit.
        #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "given")]
        order_limit: Option<Option<Amount>>,
    }

    /// `GET /v1/accounts/{id}/balance`
    BalanceAt {
        /// What it held.
        balance: Amount,
        /// When.
        at: String,
    }

    /// An item of `GET /v1/ledger/trial-balance`.
    TrialBalanceItem {
        /// `customer`, `cash` …
        kind: String,
        /// How many accounts there are.
        accounts: u64,
        /// What those hold together that hold less than nothing.
        debit: Amount,
        /// What the others hold together.
        credit: Amount,
    }

    /// `POST /v1/transfers/{id}/capture`, `/release` and `/reverse`; signed.
    FollowUpOrder {
        /// As for a transfer.
        order_id: String,
        /// `capture`, `release` or `reverse`.
        action: String,
        /// `xfer_…`
        transfer: String,
        /// How much is captured; left out, all of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        amount: Option<Amount>,
    }

    /// `POST /v1/transfers/bulk`; the signature is over `{"root":…,"count":…,"linked":…}`, exactly so.
    BulkOrder {
        /// The RFC 6962 root of the orders, in hexadecimal digits.
        root: String,
        /// How many there are.
        count: u64,
        /// All of them are carried out, or none.
        linked: bool,
        /// Orders as exact JSON texts.
        orders: Vec<String>,
    }

    /// What became of one order of a bulk: a transfer, or a refusal.
    BulkItem {
        /// The order's id.
        order_id: String,
        /// What it made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        transfer: Option<Transfer>,
        /// The code of its refusal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Cause and cure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }

    /// What became of a bulk, in the order of its orders.
    BulkResults {
        /// One for each order.
        results: Vec<BulkItem>,
    }

    /// The terms on which money is reserved.
    Hold {
        /// Who may capture or release it: `usr_…`; left out, the payee.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capturer: Option<String>,
        /// Until when; left out, seven days.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
    }

    /// `POST /v1/transfers`; signed.
    TransferOrder {
        /// 1 to 64 of `A-Z a-z 0-9 _ -`, unique per person.
        order_id: String,
        /// Account id or number.
        from: String,
        /// Account id or number.
        to: String,
        /// How much.
        amount: Amount,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Reserve the money first: `true`, or the terms.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<HoldOrNot>,
    }

    /// `POST /v1/cash/deposits` and `/withdrawals`; signed by the teller's device.
    CashOrder {
        /// As for a transfer.
        order_id: String,
        /// Account id or number.
        account: String,
        /// How much.
        amount: Amount,
        /// For the customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    }

    /// A posting.
    Transfer {
        /// `xfer_…`
        id: String,
        /// The caller's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// `posted`, `held`, `pending_approval`, `captured`, `released`, `expired`, `refused` or `reversed`.
        status: String,
        /// Its place in the log.
        sequence: u64,
        /// `transfer`, `deposit` …
        kind: String,
        /// Account id.
        from: String,
        /// Account id.
        to: String,
        /// How much.
        amount: Amount,
        /// When it was posted, or reserved.
        time: String,
        /// Until when it is reserved.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<String>,
        /// The posting that it takes back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refers: Option<String>,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    /// The five checks of a posting.
    Checks {
        /// The row carries the bank's MAC.
        mac: bool,
        /// The order's signature holds.
        signature: bool,
        /// The posting is in the log.
        inclusion: bool,
        /// Its block links to the one before.
        chain: bool,
        /// Both balances follow.
        balances: bool,
    }

    /// `GET /v1/transfers/{id}/verification`
    Verification {
        /// All five hold.
        is_valid: bool,
        /// Each by itself.
        checks: Checks,
        /// Why those that fail do.
        failures: Vec<String>,
    }

    /// A block of the log.
    Block {
        /// Counts from 0.
        height: u64,
        /// The log's size after it.
        size: u64,
        /// When it was decided.
        time: String,
        /// The previous block's hash, in hexadecimal.
        previous: String,
        /// Its own.
        hash: String,
        /// The signed checkpoint.
        checkpoint: String,
    }
}

/// `true` and `false`, or terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum HoldOrNot {
    /// By the usual terms, or not at all.
    Plain(bool),
    /// By these.
    By(Hold),
}

/// A member that is there, null or not.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}
