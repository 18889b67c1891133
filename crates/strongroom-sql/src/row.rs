//! Rows that a query answered.

use crate::{Error, Result};

/// One row: its cells, and one buffer that holds their text and bytes.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Row {
    cells: Vec<Cell>,
    data: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Cell {
    Null,
    Int(i64),
    Text { start: usize, end: usize },
    Bytes { start: usize, end: usize },
}

impl Row {
    /// How many columns it has.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Does it have no columns?
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many bytes of text and blobs it has.
    pub(crate) fn size(&self) -> usize {
        self.data.len()
    }

    /// Is this column NULL?
    pub fn is_null(&self, column: usize) -> bool {
        matches!(self.cells.get(column), Some(Cell::Null))
    }

    /// An integer.
    pub fn int(&self, column: usize) -> Result<i64> {
        self.opt_int(column)?.ok_or_else(|| null(column))
    }

    /// An integer or NULL.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>> {
        match self.cells.get(column) {
            Some(Cell::Int(value)) => Ok(Some(*value)),
            Some(Cell::Null) => Ok(None),
            other => Err(mismatch(column, "an integer", other)),
        }
    }

    /// Text.
    pub fn text(&self, column: usize) -> Result<&str> {
        self.opt_text(column)?.ok_or_else(|| null(column))
    }

    /// Text or NULL.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>> {
        match self.cells.get(column) {
            Some(Cell::Text { start, end }) => match std::str::from_utf8(&self.data[*start..*end]) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(Error::other(format!("column {column} holds text that is not UTF-8"))),
            },
            Some(Cell::Null) => Ok(None),
            other => Err(mismatch(column, "text", other)),
        }
    }

    /// Bytes.
    pub fn bytes(&self, column: usize) -> Result<&[u8]> {
        self.opt_bytes(column)?.ok_or_else(|| null(column))
    }

    /// Bytes or NULL.
    pub fn opt_bytes(&self, column: usize) -> Result<Option<&[u8]>> {
        match self.cells.get(column) {
            Some(Cell::Bytes { start, end }) => Ok(Some(&self.data[*start..*end])),
            Some(Cell::Null) => Ok(None),
            other => Err(mismatch(column, "bytes", other)),
        }
    }

    /// Exactly `N` bytes.
    pub fn array<const N: usize>(&self, column: usize) -> Result<[u8; N]> {
        self.opt_array(column)?.ok_or_else(|| null(column))
    }

    /// Exactly `N` bytes, or NULL.
    pub fn opt_array<const N: usize>(&self, column: usize) -> Result<Option<[u8; N]>> {
        let Some(bytes) = self.opt_bytes(column)? else { return Ok(None) };
        match bytes.try_into() {
            Ok(array) => Ok(Some(array)),
            Err(_) => Err(Error::other(format!("column {column} has {} bytes where {N} were expected", bytes.len()))),
        }
    }
}

/// Shows the shape only, so that a value never reaches a log line.
impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.cells.iter().map(|cell| name(Some(cell)))).finish()
    }
}

/// Builds rows; the engines' side of [`Row`].
pub(crate) struct RowBuilder(Row);

impl RowBuilder {
    /// In the place of a row that is not needed any more, or was given away: its buffers are used again, and new ones
    /// are of the size that the last row had.
    pub(crate) fn instead_of(mut row: Row, columns: usize, size: usize) -> Self {
        row.cells.clear();
        row.cells.reserve(columns);
        row.data.clear();
        row.data.reserve(size);
        RowBuilder(row)
    }

    pub(crate) fn null(&mut self) {
        self.0.cells.push(Cell::Null);
    }

    pub(crate) fn int(&mut self, value: i64) {
        self.0.cells.push(Cell::Int(value));
    }

    pub(crate) fn text(&mut self, value: &[u8]) {
        let (start, end) = self.append(value);
        self.0.cells.push(Cell::Text { start, end });
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) {
        let (start, end) = self.append(value);
        self.0.cells.push(Cell::Bytes { start, end });
    }

    pub(crate) fn done(self) -> Row {
        self.0
    }

    fn append(&mut self, value: &[u8]) -> (usize, usize) {
        let start = self.0.data.len();
        self.0.data.extend_from_slice(value);
        (start, self.0.data.len())
    }
}

fn null(column: usize) -> Error {
    Error::other(format!("column {column} is NULL where a value was expected"))
}

fn mismatch(column: usize, wanted: &str, cell: Option<&Cell>) -> Error {
    Error::other(format!("column {column} holds {} where {wanted} was expected", name(cell)))
}

fn name(cell: Option<&Cell>) -> &'static str {
    match cell {
        None => "nothing",
        Some(Cell::Null) => "NULL",
        Some(Cell::Int(_)) => "an integer",
        Some(Cell::Text { .. }) => "text",
        Some(Cell::Bytes { .. }) => "bytes",
    }
}
