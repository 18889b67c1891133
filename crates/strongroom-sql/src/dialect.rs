//! Where the engines' SQL differs: type names and quoting.

/// An engine's way of writing SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// MariaDB and MySQL.
    MariaDb,
}

impl Dialect {
    /// Column type of a 16-byte id.
    pub fn id(self) -> String {
        self.pick("BLOB", "BINARY(16)").to_owned()
    }

    /// Column type of at most `len` bytes, short enough for an index.
    pub fn bytes(self, len: usize) -> String {
        match self {
            Dialect::Sqlite => "BLOB".to_owned(),
            Dialect::MariaDb => format!("VARBINARY({len})"),
        }
    }

    /// Column type of bytes of any length; not for keys.
    pub fn blob(self) -> String {
        self.pick("BLOB", "LONGBLOB").to_owned()
    }

    /// Column type of an `i64`.
    pub fn int(self) -> String {
        self.pick("INTEGER", "BIGINT").to_owned()
    }

    /// Column type of at most `len` characters, compared byte by byte. (MariaDB ignores trailing
    /// spaces when it compares; values used as keys have none.)
    pub fn text(self, len: usize) -> String {
        match self {
            Dialect::Sqlite => "TEXT".to_owned(),
            Dialect::MariaDb => format!("VARCHAR({len}) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"),
        }
    }

    fn pick(self, sqlite: &'static str, mariadb: &'static str) -> &'static str {
        match self {
            Dialect::Sqlite => sqlite,
            Dialect::MariaDb => mariadb,
        }
    }
}

/// A table's or column's name as it stands in a statement, whatever characters it has.
pub fn quote(ident: &str, dialect: Dialect) -> String {
    let mark = match dialect {
        Dialect::Sqlite => '"',
        Dialect::MariaDb => '`',
    };
    let mut quoted = String::with_capacity(ident.len() + 2);
    quoted.push(mark);
    for c in ident.chars() {
        if c == mark {
            quoted.push(mark);
        }
        quoted.push(c);
    }
    quoted.push(mark);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_inside_a_name_is_doubled() {
        assert_eq!(quote("a\"b", Dialect::Sqlite), "\"a\"\"b\"");
        assert_eq!(quote("a`b", Dialect::MariaDb), "`a``b`");
    }
}
