//! Transfer orders: what passes is an object with just our members, each once, within bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use strongroom_ledger::order::{DESCRIPTION_CHARS_MAX, OrderId, TransferOrder};

fuzz_target!(|body: &[u8]| {
    let Ok(order) = TransferOrder::parse(body) else { return };
    assert!(OrderId::new(order.order_id.as_str().to_owned()).is_some());
    assert!(order.description.iter().all(|text| text.chars().count() <= DESCRIPTION_CHARS_MAX));
    // Another reader, which knows no order, sees the same.
    let seen: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(seen["order_id"], order.order_id.as_str());
    assert_eq!(seen["from"], order.from.as_str());
    assert_eq!(seen["to"], order.to.as_str());
    assert_eq!(seen["amount"]["amount"], order.amount.amount.as_str());
    assert_eq!(seen["amount"]["currency"], order.amount.currency.as_str());
    assert_eq!(seen["description"], Value::from(order.description));
    assert_eq!(seen["hold"], Value::from(order.hold));
});
