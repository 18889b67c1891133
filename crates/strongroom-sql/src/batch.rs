//! The text of batch statements, and how a batch is cut so that few distinct texts arise.

use crate::{Dialect, Insert, SelectKeys, Upsert, quote};

/// Rows per statement on MariaDB. A batch is cut greedily into these sizes: few round trips, and
/// few enough distinct statements that each is prepared once and kept.
const SIZES: &[usize] = &[512, 384, 256, 192, 128, 96, 64, 48, 32, 24, 16, 12, 8, 6, 4, 3, 2, 1];

/// The largest of these sizes.
pub(crate) const ROWS_MAX: usize = 512;

/// MariaDB's protocol counts placeholders in 16 bits.
const PLACEHOLDERS_MAX: usize = 65_535;

/// The largest chunk that fits what is left of a batch.
pub(crate) fn chunk_size(left: usize, columns: usize) -> usize {
    let most = left.min(PLACEHOLDERS_MAX / columns.max(1));
    SIZES.iter().copied().find(|size| *size <= most).unwrap_or(1)
}

/// The chunk that covers what is left of a list of keys, repeats allowed: one that is too large
/// is filled up by asking for the last key again.
pub(crate) fn covering_size(left: usize, columns: usize) -> usize {
    let most = PLACEHOLDERS_MAX / columns.max(1);
    let fitting = || SIZES.iter().rev().copied().filter(|size| *size <= most);
    fitting().find(|size| *size >= left).or_else(|| fitting().next_back()).unwrap_or(1)
}

/// `INSERT INTO t (a, b) VALUES (?,?),(?,?)`
pub(crate) fn insert(insert: &Insert<'_>, rows: usize, dialect: Dialect) -> String {
    let mut sql = String::with_capacity(64 + insert.columns.len() * (12 + 2 * rows));
    sql.push_str("INSERT INTO ");
    sql.push_str(&quote(insert.table, dialect));
    sql.push_str(" (");
    push_names(&mut sql, insert.columns, dialect);
    sql.push_str(") VALUES ");
    push_tuples(&mut sql, insert.columns.len(), rows);
    sql
}

/// An insert that updates the columns outside the key when the key is there.
pub(crate) fn upsert(upsert: &Upsert<'_>, rows: usize, dialect: Dialect) -> String {
    let mut sql = insert(&Insert { table: upsert.table, columns: upsert.columns }, rows, dialect);
    let mut others: Vec<&str> = upsert.columns.iter().copied().filter(|column| !upsert.key.contains(column)).collect();
    match dialect {
        Dialect::Sqlite => {
            sql.push_str(" ON CONFLICT (");
            push_names(&mut sql, upsert.key, dialect);
            sql.push_str(if others.is_empty() { ") DO NOTHING" } else { ") DO UPDATE SET " });
        }
        Dialect::MariaDb => {
            sql.push_str(" ON DUPLICATE KEY UPDATE ");
            if others.is_empty() {
                others.extend(upsert.key.first());
            }
        }
    }
    for (i, column) in others.iter().enumerate() {
        let name = quote(column, dialect);
        let comma = if i == 0 { "" } else { ", " };
        sql.push_str(&match dialect {
            Dialect::Sqlite => format!("{comma}{name} = excluded.{name}"),
            Dialect::MariaDb => format!("{comma}{name} = VALUES({name})"),
        });
    }
    sql
}

/// `SELECT … WHERE (k1, k2) IN ((?,?),(?,?))`, in the form both engines use an index for.
pub(crate) fn select(select: &SelectKeys<'_>, keys: usize, dialect: Dialect) -> String {
    let mut sql = String::with_capacity(128 + keys * select.key.len() * 8);
    sql.push_str("SELECT ");
    push_names(&mut sql, select.columns, dialect);
    sql.push_str(" FROM ");
    sql.push_str(&quote(select.table, dialect));
    sql.push_str(" WHERE ");
    match select.key {
        [one] if keys > 1 => {
            sql.push_str(&quote(one, dialect));
            sql.push_str(" IN (");
            for i in 0..keys {
                sql.push_str(if i == 0 { "?" } else { ",?" });
            }
            sql.push(')');
        }
        several => {
            let equal: Vec<String> = several.iter().map(|column| format!("{} = ?", quote(column, dialect))).collect();
            let equal = equal.join(" AND ");
            for i in 0..keys {
                sql.push_str(if i == 0 { "(" } else { " OR (" });
                sql.push_str(&equal);
                sql.push(')');
            }
        }
    }
    if select.lock && dialect == Dialect::MariaDb {
        sql.push_str(" FOR UPDATE");
    }
    sql
}

fn push_names(sql: &mut String, names: &[&str], dialect: Dialect) {
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            sql.push_str(", ");
        }
        sql.push_str(&quote(name, dialect));
    }
}

fn push_tuples(sql: &mut String, width: usize, count: usize) {
    for row in 0..count {
        sql.push_str(if row == 0 { "(" } else { ",(" });
        for column in 0..width {
            sql.push_str(if column == 0 { "?" } else { ",?" });
        }
        sql.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_cut_into_few_sizes() {
        let mut left = 1_000;
        let mut cut = Vec::new();
        while left > 0 {
            let size = chunk_size(left, 21);
            cut.push(size);
            left -= size;
        }
        assert_eq!(cut, [512, 384, 96, 8]);
        assert_eq!(chunk_size(1_000, 400), 128, "placeholders stay below the protocol's limit");
    }

    #[test]
    fn keys_are_covered_by_one_statement() {
        assert_eq!(covering_size(5, 1), 6);
        assert_eq!(covering_size(512, 1), 512);
        assert_eq!(covering_size(5_000, 1), 512);
    }

    #[test]
    fn statements_read_as_expected() {
        let table = Upsert { table: "t", key: &["k"], columns: &["k", "v"] };
        assert_eq!(
            upsert(&table, 2, Dialect::Sqlite),
            r#"INSERT INTO "t" ("k", "v") VALUES (?,?),(?,?) ON CONFLICT ("k") DO UPDATE SET "v" = excluded."v""#
        );
        assert_eq!(
            upsert(&table, 1, Dialect::MariaDb),
            "INSERT INTO `t` (`k`, `v`) VALUES (?,?) ON DUPLICATE KEY UPDATE `v` = VALUES(`v`)"
        );
        let keys = SelectKeys { columns: &["v"], table: "t", key: &["a", "b"], lock: true };
        assert_eq!(
            select(&keys, 2, Dialect::MariaDb),
            "SELECT `v` FROM `t` WHERE (`a` = ? AND `b` = ?) OR (`a` = ? AND `b` = ?) FOR UPDATE"
        );
        let key = SelectKeys { columns: &["v"], table: "t", key: &["a"], lock: true };
        assert_eq!(select(&key, 2, Dialect::Sqlite), r#"SELECT "v" FROM "t" WHERE "a" IN (?,?)"#);
    }
}
