//! `strongroom account`: opening accounts and reading them.

use strongroom_api::{Account, AccountChange, Amount, Entry, List};
use strongroom_client::Client;

use crate::Global;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::{Remote, data};

/// What to do with accounts.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Open an account
    Open {
        /// What to call it
        #[arg(default_value = "Everyday")]
        name: String,
        /// ISO 4217 code [default: the bank's]
        #[arg(long, value_name = "CODE")]
        currency: Option<String>,
    },
    /// Your accounts
    List,
    /// One account
    Show {
        /// Its id or number
        account: String,
    },
    /// Its entries, newest first
    Entries {
        /// Its id or number
        account: String,
        /// How many at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
        limit: u16,
        /// Where the list before ended
        #[arg(long)]
        cursor: Option<String>,
    },
    /// A statement as CSV: its entries between two balances
    Statement {
        /// Its id or number
        account: String,
        /// From this day or moment on, like 2030-01-01
        #[arg(long, default_value = "", hide_default_value = true)]
        from: String,
        /// Before this day or moment
        #[arg(long, default_value = "", hide_default_value = true)]
        to: String,
    },
    /// Freeze it, as staff: nothing moves, in or out
    Freeze {
        /// Its id
        account: String,
    },
    /// Free it again, as staff
    Unfreeze {
        /// Its id
        account: String,
    },
    /// Close it for ever; it has to be empty
    Close {
        /// Its id or number
        account: String,
    },
    /// Set how far it may go, as staff
    Limit {
        /// Its id
        account: String,
        /// How far below zero, like 500.00
        #[arg(long, value_name = "AMOUNT")]
        overdraft: Option<String>,
        /// How much one order may take, or none
        #[arg(long, value_name = "AMOUNT")]
        order: Option<String>,
    },
}

const PAGE: usize = 200;

/// Runs a verb.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    let client = remote.signed_in().await?;
    match verb {
        Verb::Open { name, currency } => {
            let currency = currency.or_else(|| remote.bank.currencies.first().cloned()).unwrap_or_default();
            let account = client.open_account(&currency, &name).await?;
            global.print(&data(&account), || shown(&account));
        }
        Verb::List => {
            let items = all(&client).await?;
            let words = items
                .iter()
                .map(|a| format!("{}  {}  {}  {}", a.id, a.number, money(&a.balance), a.name))
                .collect::<Vec<_>>();
            global.print(&data(&List { items, next_cursor: None }), || words.join("\n"));
        }
        Verb::Show { account } => {
            let account = client.account(&id(&client, &account).await?).await?;
            global.print(&data(&account), || shown(&account));
        }
        Verb::Entries { account, limit, cursor } => {
            let entries = client.entries(&id(&client, &account).await?, cursor.as_deref(), limit.into()).await?;
            global.print(&data(&entries), || entries.items.iter().map(line).collect::<Vec<_>>().join("\n"));
            if let Some(cursor) = &entries.next_cursor {
                eprintln!("There are more: add --cursor {cursor}");
            }
        }
        Verb::Statement { account, from, to } => {
            let csv = client.statement(&id(&client, &account).await?, &from, &to).await?;
            global.print(&serde_json::json!({"csv": csv}), || csv.trim_end().to_owned());
        }
        Verb::Freeze { account } => change(global, &client, &account, status("frozen")).await?,
        Verb::Unfreeze { account } => change(global, &client, &account, status("open")).await?,
        Verb::Close { account } => {
            let account = id(&client, &account).await?;
            change(global, &client, &account, status("closed")).await?;
        }
        Verb::Limit { account, overdraft, order } => {
            let currency = remote.bank.currencies.first().cloned().unwrap_or_default();
            let amount = |amount: String| Amount { amount, currency: currency.clone() };
            let order = order.map(|order| if order == "none" { None } else { Some(amount(order)) });
            let limits = AccountChange { status: None, overdraft: overdraft.map(amount), order_limit: order };
            change(global, &client, &account, limits).await?;
        }
    }
    Ok(())
}

fn status(status: &str) -> AccountChange {
    AccountChange { status: Some(status.into()), overdraft: None, order_limit: None }
}

async fn change(global: &Global, client: &Client, account: &str, change: AccountChange) -> Outcome {
    let account = client.change_account(account, &change).await?;
    global.print(&data(&account), || shown(&account));
    Ok(())
}

/// The id of one of the caller's accounts, from its id or number.
async fn id(client: &Client, account: &str) -> Outcome<String> {
    if account.starts_with("acct_") {
        return Ok(account.to_owned());
    }
    let plain = |number: &str| number.replace([' ', '-'], "").to_uppercase();
    let found = all(client).await?.into_iter().find(|a| plain(&a.number) == plain(account));
    found.map(|a| a.id).ok_or_else(|| {
        Failure::new(Exit::NotFound, format!("you have no account {account}: see `strongroom account list`"))
    })
}

async fn all(client: &Client) -> Outcome<Vec<Account>> {
    let (mut items, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = client.accounts(cursor.as_deref(), PAGE).await?;
        items.extend(page.items);
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}

/// An amount as a person reads it.
pub fn money(amount: &Amount) -> String {
    format!("{} {}", amount.amount, amount.currency)
}

fn shown(account: &Account) -> String {
    let Account { id, name, number, number_scheme, status, balance, available, created_at, .. } = account;
    let scheme = number_scheme.to_uppercase();
    format!(
        "id         {id}\nname       {name}\nnumber     {number} ({scheme})\nstatus     {status}\nbalance    {}\navailable  {}\nopened     {created_at}",
        money(balance),
        money(available)
    )
}

fn line(entry: &Entry) -> String {
    let description = entry.description.as_deref().unwrap_or_default();
    format!(
        "{}  {:>16}  {:>16}  {}  {description}",
        entry.time,
        money(&entry.amount),
        money(&entry.balance_after),
        entry.transfer
    )
}
