//! Column ids of the bank's own sealed fields: constants, for ever.

use strongroom_crypto::sealed::ColumnId;

/// The id of the `n`th sealed column.
const fn id(n: u8) -> ColumnId {
    let mut bytes = *b"strongroom/col/\0";
    bytes[15] = n;
    ColumnId(bytes)
}

/// people.password
pub const PASSWORD: ColumnId = id(1);
/// people.username
pub const USERNAME: ColumnId = id(2);
/// people.full_name
pub const FULL_NAME: ColumnId = id(3);
/// people.email
pub const EMAIL: ColumnId = id(4);
/// people.phone
pub const PHONE: ColumnId = id(5);
/// people.national_id
pub const NATIONAL_ID: ColumnId = id(6);
/// people.date_of_birth
pub const DATE_OF_BIRTH: ColumnId = id(7);
/// people.address
pub const ADDRESS: ColumnId = id(8);
/// factors.secret
pub const FACTOR_SECRET: ColumnId = id(9);
/// devices.name
pub const DEVICE_NAME: ColumnId = id(10);
/// accounts.number
pub const ACCOUNT_NUMBER: ColumnId = id(11);
/// accounts.name
pub const ACCOUNT_NAME: ColumnId = id(12);
/// transfers.payer
pub const PAYER_PART: ColumnId = id(13);
/// transfers.payee
pub const PAYEE_PART: ColumnId = id(14);
/// bulks.signed
pub const SIGNED_BULK: ColumnId = id(21);
/// audit.detail
pub const AUDIT_DETAIL: ColumnId = id(16);
/// factors.name
pub const FACTOR_NAME: ColumnId = id(18);
/// challenges.data
pub const CHALLENGE_DATA: ColumnId = id(19);
/// outbox.message
pub const OUTBOX_MESSAGE: ColumnId = id(20);
/// tries.id: an index only
pub const TRIES: ColumnId = id(17);
/// sessions.successor
pub const SESSION_SUCCESSOR: ColumnId = id(15);
