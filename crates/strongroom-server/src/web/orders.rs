//! Signed orders as a form posts them: the exact JSON and its detached signature in two hidden fields.

use strongroom_bank::{Error, Placed, Posted as Made, SignedOrder, Verified, clock};

use super::pages::Signing;
use super::visitor::{Member, Posted};
use crate::App;

/// What the signing module needs to know.
pub fn signing(app: &App, member: &Member) -> Signing {
    Signing { audience: app.bank.origin().to_owned(), user: member.id(), time_s: clock::now_us() / 1_000_000 }
}

/// The order of a form, once its signature holds.
pub async fn verified<T: SignedOrder>(app: &App, member: &Member, posted: &Posted) -> Result<Verified<T>, Error> {
    let (order, signature) = (posted.text("order"), posted.text("signature"));
    if order.is_empty() || signature.is_empty() {
        let detail = "This order was not signed. A script of the page lets your key sign it: allow scripts for this site, then send it again.";
        return Err(Error::forbidden("bad_signature", detail));
    }
    app.bank.verify_order(&member.caller, Some(signature), order.as_bytes()).await
}

/// The posting that an order made, or why it made none.
pub fn made(placed: Placed) -> Result<Made, Error> {
    placed.outcome.map_err(Error::Refused)
}
