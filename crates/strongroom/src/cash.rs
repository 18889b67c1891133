//! `strongroom cash`: money over the counter, ordered by a teller.

use strongroom_api::CashOrder;

use crate::Global;
use crate::failure::Outcome;
use crate::remote::{Remote, now_s};
use crate::transfer::{OrderArgs, print_placed};

/// What to do with cash.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Take cash in
    Deposit {
        /// The customer's account: its id or number
        account: String,
        /// How much, like 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// For the customer's statement
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
        #[command(flatten)]
        order: OrderArgs,
    },
}

/// Runs a verb.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    let Verb::Deposit { account, amount, reference, order } = verb;
    let (order_id, amount) = order.settle(&remote, amount);
    let order = CashOrder { order_id, account, amount, reference };
    let signer = remote.signer()?;
    let placed = remote.signed_in().await?.deposit(&signer, &order, now_s()).await;
    print_placed(global, &order.order_id, placed)
}
