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
    /// Pay cash out; the customer agrees by a code of their authenticator
    Withdraw {
        /// The customer's account: its id or number
        account: String,
        /// How much, like 12.50
        #[arg(allow_hyphen_values = true)]
        amount: String,
        /// The customer's code
        #[arg(long, value_name = "CODE")]
        customer_code: String,
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
    let signer = remote.signer()?;
    let client = remote.signed_in().await?;
    let (order, placed) = match verb {
        Verb::Deposit { account, amount, reference, order } => {
            let (order_id, amount) = order.settle(&remote, amount);
            let order = CashOrder { order_id, account, amount, reference };
            let placed = client.deposit(&signer, &order, now_s()).await;
            (order, placed)
        }
        Verb::Withdraw { account, amount, customer_code, reference, order } => {
            let (order_id, amount) = order.settle(&remote, amount);
            let order = CashOrder { order_id, account, amount, reference };
            let placed = client.withdraw(&signer, &order, &customer_code, now_s()).await;
            (order, placed)
        }
    };
    print_placed(global, &order.order_id, placed)
}
