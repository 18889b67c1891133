//! Spent orders: each keeps the place of the leaf that it made, and every leaf that an order made has its order.

use std::collections::HashMap;

use strongroom_sql::Connection;
use strongroom_store::Id;
use strongroom_store::holds::{self, HoldRow};
use strongroom_store::money::{self as store, OrderRow, TransferRow};

use super::{Report, integrity, stream};
use crate::Result;
use crate::factor::NOBODY;

/// Whose order made a leaf: the person, the order's id where it is known, and its hash.
type Maker = (Id, Option<String>, [u8; 32]);

/// Each posting's and each reservation's order is spent by it, and by nothing else.
pub(super) fn orders(connection: &mut dyn Connection, report: &mut Report) -> Result<()> {
    let mut made = makers(connection)?;
    stream(
        |each| store::each_order(connection, each),
        |row: OrderRow| {
            report.orders += 1;
            let Some(sequence) = row.sequence else { return Ok(()) };
            let matches = made.remove(&sequence).is_some_and(|(person, order_id, hash)| {
                person == row.person && hash == row.body_hash && order_id.is_none_or(|id| id == row.order_id)
            });
            if matches {
                return Ok(());
            }
            Err(integrity(format!("order {}: it does not match its posting at sequence {sequence}", row.order_id)))
        },
    )?;
    match made.into_keys().min() {
        Some(sequence) => Err(integrity(format!("the order of the posting at sequence {sequence} is missing"))),
        None => Ok(()),
    }
}

fn makers(connection: &mut dyn Connection) -> Result<HashMap<i64, Maker>> {
    let mut made: HashMap<i64, Maker> = HashMap::new();
    stream(
        |each| store::each_transfer(connection, each),
        |row: TransferRow| {
            // What was reserved first was ordered then.
            if row.refers != Some(row.id) {
                made.insert(row.sequence, (row.person, Some(row.order_id), row.order_hash));
            }
            Ok(())
        },
    )?;
    stream(
        |each| holds::each(connection, each),
        |row: HoldRow| {
            made.insert(row.sequence, (row.person, Some(row.order_id), row.order_hash));
            // A rule, an approval and a withdrawal by its payer are no orders.
            if let Some(end) = row.end.filter(|end| end.person != NOBODY && end.authority_kind == CUSTOMER) {
                made.insert(end.sequence, (end.person, None, end.order_hash));
            }
            Ok(())
        },
    )?;
    Ok(made)
}

/// The number of a customer's authority.
const CUSTOMER: i64 = 1;
