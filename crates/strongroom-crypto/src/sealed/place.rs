//! Where a sealed field stands, and how its place is authenticated.

use super::HEADER;

/// A column's id, never changed: a constant for the bank's own, random for a shielded column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ColumnId(pub [u8; 16]);

/// What a value is, so that a number is never opened as a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum LogicalType {
    /// UTF-8 text.
    Text = 1,
    /// Bytes.
    Bytes = 2,
    /// A whole number.
    Integer = 3,
    /// A date or time.
    Date = 4,
    /// A decimal number.
    Decimal = 5,
}

/// Where a field stands. All of it is authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The store (a bank, a shielded database).
    pub store: [u8; 16],
    /// The column.
    pub column: ColumnId,
    /// The row's key: unique and unchanging.
    pub row: &'a [u8],
    /// The value's type.
    pub kind: LogicalType,
}

/// What stands before the row's key: the header, store and column, and the key's length.
const BEFORE_ROW: usize = HEADER + 4 + 16 + 4 + 16 + 4;
const AFTER_ROW: usize = 4 + 1;
/// Rows of up to this length, the rule, cost no allocation.
const ROW_ON_STACK: usize = 256 - BEFORE_ROW - AFTER_ROW;

/// Runs with the authenticated data: the header, then each part of the context with its length.
pub(super) fn with_aad<R>(header: &[u8; HEADER], context: &Context<'_>, run: impl FnOnce(&[u8]) -> R) -> R {
    let length = BEFORE_ROW + context.row.len() + AFTER_ROW;
    if context.row.len() <= ROW_ON_STACK {
        let mut stack = [0; BEFORE_ROW + ROW_ON_STACK + AFTER_ROW];
        write(header, context, &mut stack[..length]);
        run(&stack[..length])
    } else {
        let mut heap = vec![0; length];
        write(header, context, &mut heap);
        run(&heap)
    }
}

fn write(header: &[u8; HEADER], context: &Context<'_>, aad: &mut [u8]) {
    let (before, rest) = aad.split_at_mut(BEFORE_ROW);
    before[..8].copy_from_slice(header);
    before[8..12].copy_from_slice(&16u32.to_be_bytes());
    before[12..28].copy_from_slice(&context.store);
    before[28..32].copy_from_slice(&16u32.to_be_bytes());
    before[32..48].copy_from_slice(&context.column.0);
    before[48..52].copy_from_slice(&(context.row.len() as u32).to_be_bytes());
    let (row, after) = rest.split_at_mut(context.row.len());
    row.copy_from_slice(context.row);
    after[..4].copy_from_slice(&1u32.to_be_bytes());
    after[4] = context.kind as u8;
}
