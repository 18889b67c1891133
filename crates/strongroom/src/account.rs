//! `strongroom account`: opening accounts and reading them.

use strongroom_api::{Account, Amount, Entry, List};
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
    }
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
