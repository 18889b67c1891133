//! `strongroom transfer`: moving money by a signed order, and what proves that it moved.

use std::path::PathBuf;

use serde_json::json;
use strongroom_api::{Amount, FollowUpOrder, Hold, HoldOrNot, Transfer, TransferOrder};
use strongroom_bank::clock;
use strongroom_crypto::random;
use strongroom_ledger::id::TransferId;
use strongroom_ledger::note::LogKey;
use strongroom_ledger::receipt;

use crate::Global;
use crate::account::money;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::{Remote, data, now_s};

/// A transfer, or a look at one.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Args {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// The account debited: its id or number
    #[arg(required = true)]
    from: Option<String>,
    /// The account credited: its id or number
    #[arg(required = true)]
    to: Option<String>,
    /// How much, like 12.50
    #[arg(required = true, allow_hyphen_values = true)]
    amount: Option<String>,
    /// What for; the payee reads it too
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Reserve it first; the payee captures it, or whoever is named by --capturer
    #[arg(long)]
    hold: bool,
    /// Who may capture it: usr_… [default: the payee]
    #[arg(long, value_name = "PERSON", requires = "hold")]
    capturer: Option<String>,
    /// Until when it is reserved, like 2030-01-31T12:00:00Z [default: for seven days]
    #[arg(long, value_name = "TIME", requires = "hold")]
    until: Option<String>,
    #[command(flatten)]
    order: OrderArgs,
}

/// What every order takes.
#[derive(clap::Args, Debug)]
pub struct OrderArgs {
    /// ISO 4217 code [default: the bank's]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// The order's id, to place the same order again without paying twice [default: a new one]
    #[arg(long, value_name = "ID")]
    pub order_id: Option<String>,
}

/// What to do with a transfer.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// What it was
    Show {
        /// xfer_…
        id: String,
    },
    /// Its receipt, checked against the pinned log key
    Receipt {
        /// xfer_…
        id: String,
        /// Where to write it [default: standard output]
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// The bank's five checks of it
    Verify {
        /// xfer_…
        id: String,
    },
    /// Move what is reserved, or a part of it
    Capture {
        /// xfer_…
        id: String,
        /// How much, like 12.50 [default: all of it]
        amount: Option<String>,
        #[command(flatten)]
        order: OrderArgs,
    },
    /// Free what is reserved
    Release {
        /// xfer_…
        id: String,
        #[command(flatten)]
        order: OrderArgs,
    },
    /// Take a posting back: what you were paid, or as staff
    Reverse {
        /// xfer_…
        id: String,
        #[command(flatten)]
        order: OrderArgs,
    },
}

/// Places a transfer or looks at one.
pub async fn run(global: &Global, args: Args) -> Outcome {
    let remote = Remote::open(global).await?;
    let Args { verb, from, to, amount, description, hold, capturer, until, order } = args;
    match (verb, from, to, amount) {
        (Some(Verb::Show { id }), ..) => show(global, &remote, &id).await,
        (Some(Verb::Receipt { id, output }), ..) => save_receipt(global, &remote, &id, output).await,
        (Some(Verb::Verify { id }), ..) => verify(global, &remote, &id).await,
        (Some(Verb::Capture { id, amount, order }), ..) => {
            follow_up(global, &remote, "capture", id, amount, order).await
        }
        (Some(Verb::Release { id, order }), ..) => follow_up(global, &remote, "release", id, None, order).await,
        (Some(Verb::Reverse { id, order }), ..) => follow_up(global, &remote, "reverse", id, None, order).await,
        (None, Some(from), Some(to), Some(amount)) => {
            let (order_id, amount) = order.settle(&remote, amount);
            let hold = hold.then_some(HoldOrNot::By(Hold { capturer, until }));
            let order = TransferOrder { order_id, from, to, amount, description, hold };
            let signer = remote.signer()?;
            let placed = remote.signed_in().await?.transfer(&signer, &order, now_s()).await;
            print_placed(global, &order.order_id, placed)
        }
        _ => Err(Failure::new(Exit::Usage, "say FROM, TO and AMOUNT: see `strongroom transfer --help`")),
    }
}

async fn follow_up(
    global: &Global,
    remote: &Remote,
    action: &str,
    transfer: String,
    amount: Option<String>,
    order: OrderArgs,
) -> Outcome {
    let (order_id, whole) = order.settle(remote, amount.clone().unwrap_or_default());
    let order = FollowUpOrder { order_id, action: action.into(), transfer, amount: amount.map(|_| whole) };
    let signer = remote.signer()?;
    let placed = remote.signed_in().await?.follow_up(&signer, &order, now_s()).await;
    print_placed(global, &order.order_id, placed)
}

impl OrderArgs {
    /// The order's id, and its amount in the currency that is meant.
    pub fn settle(self, remote: &Remote, amount: String) -> (String, Amount) {
        let order_id = self.order_id.unwrap_or_else(new_order_id);
        let currency = self.currency.or_else(|| remote.bank.currencies.first().cloned()).unwrap_or_default();
        (order_id, Amount { amount, currency })
    }
}

/// Time-ordered, as the bank likes them.
fn new_order_id() -> String {
    let id = TransferId::from_time(clock::now_us(), random::bytes()).to_string();
    id.trim_start_matches(TransferId::PREFIX).to_owned()
}

/// Tells what became of an order.
pub fn print_placed(global: &Global, order_id: &str, placed: strongroom_client::Result<Transfer>) -> Outcome {
    let transfer = placed.map_err(|error| {
        let is_open =
            matches!(error, strongroom_client::Error::Lost { .. }) || matches!(error.status(), Some(429 | 500..));
        let mut failure = Failure::from(error);
        if is_open {
            failure.message.push_str(&format!("; to place the same order again, add --order-id {order_id}"));
        }
        failure
    })?;
    global.print(&data(&transfer), || shown(&transfer));
    Ok(())
}

fn shown(transfer: &Transfer) -> String {
    let Transfer { id, status, sequence, kind, from, to, amount, time, description, .. } = transfer;
    let mut words = format!(
        "id        {id}\nkind      {kind}\nstatus    {status}\namount    {}\nfrom      {from}\nto        {to}\ntime      {time}\nin log    {sequence}",
        money(amount)
    );
    for (name, value) in [("until", &transfer.until), ("refers", &transfer.refers)] {
        if let Some(value) = value {
            words.push_str(&format!("\n{name:10}{value}"));
        }
    }
    if let Some(description) = description {
        words.push_str(&format!("\nfor       {description}"));
    }
    words
}

async fn show(global: &Global, remote: &Remote, id: &str) -> Outcome {
    let transfer = remote.signed_in().await?.posting(id).await?;
    global.print(&data(&transfer), || shown(&transfer));
    Ok(())
}

async fn save_receipt(global: &Global, remote: &Remote, id: &str, output: Option<PathBuf>) -> Outcome {
    let text = remote.signed_in().await?.receipt(id).await?;
    let key: LogKey =
        remote.bank.log_key.parse().map_err(|e| Failure::new(Exit::Failed, format!("the pinned log key: {e}")))?;
    let checked = receipt::verify(&text, &key);
    match output {
        Some(path) => {
            std::fs::write(&path, &text)
                .map_err(|e| Failure::new(Exit::Failed, format!("cannot write {}: {e}", path.display())))?;
            global.print(&json!({"file": path, "ok": checked.is_ok()}), || path.display().to_string());
        }
        None => global.print(&json!({"receipt": text, "ok": checked.is_ok()}), || text.clone()),
    }
    let verified = checked.map_err(|e| {
        Failure::new(Exit::NotVerified, format!("the receipt does not hold: {e}; keep it, and ask the bank"))
    })?;
    eprintln!("The receipt holds: {} at {}.", verified.amount_text(), verified.time_text());
    Ok(())
}

async fn verify(global: &Global, remote: &Remote, id: &str) -> Outcome {
    let found = remote.signed_in().await?.verification(id).await?;
    let checks = [
        ("mac", found.checks.mac),
        ("signature", found.checks.signature),
        ("inclusion", found.checks.inclusion),
        ("chain", found.checks.chain),
        ("balances", found.checks.balances),
    ];
    global.print(&data(&found), || {
        checks.map(|(name, holds)| format!("{name:10} {}", if holds { "holds" } else { "DOES NOT HOLD" })).join("\n")
    });
    match found.is_valid {
        true => Ok(()),
        false => Err(Failure::new(Exit::NotVerified, format!("{id} does not verify: {}", found.failures.join("; ")))),
    }
}
