//! Turns the driver's errors into ours and takes out the values that a server quotes.

use crate::{Error, Kind};
use mysql::Error as DriverError;

pub(crate) fn translate(error: DriverError) -> Error {
    match error {
        DriverError::MySqlError(error) => served(error.code, &error.message),
        DriverError::IoError(error) => lost(&error.to_string()),
        DriverError::CodecError(error) => lost(&error.to_string()),
        DriverError::TlsError(error) => tls(&error.to_string()),
        DriverError::DriverError(error) => driver(&error),
        DriverError::UrlError(_) => Error::new(Kind::Malformed, "the database URL cannot be used"),
        DriverError::FromValueError(_) | DriverError::FromRowError(_) => {
            Error::other("a column has another type than expected")
        }
    }
}

fn driver(error: &mysql::DriverError) -> Error {
    use mysql::DriverError as D;
    match error {
        D::ConnectTimeout | D::CouldNotConnect(_) | D::Timeout => Error::new(
            Kind::ConnectionLost,
            format!("{error}; check that the server runs and that this host and port reach it"),
        ),
        D::TlsNotSupported => Error::new(
            Kind::Denied,
            "the server does not offer TLS, so nothing was sent; give it a certificate (ssl_cert, ssl_key)",
        ),
        D::UnsupportedProtocol(_) | D::PacketOutOfSync | D::UnexpectedPacket | D::SetupError => {
            Error::new(Kind::ConnectionLost, error.to_string())
        }
        D::MismatchedStmtParams(wanted, given) => {
            Error::other(format!("a statement has {wanted} placeholders and was given {given} values"))
        }
        other => Error::other(other.to_string()),
    }
}

fn tls(cause: &str) -> Error {
    Error::new(
        Kind::Denied,
        format!(
            "the server's certificate was not accepted ({cause}); check that ssl-ca names the authority that issued \
             it and that it is made out to this host"
        ),
    )
}

fn lost(cause: &str) -> Error {
    // rustls reports a certificate it refuses as an I/O error of the first write or read
    if cause.contains("invalid peer certificate") {
        return tls(cause);
    }
    Error::new(Kind::ConnectionLost, format!("the connection to the database was lost ({cause})"))
}

/// An error the server sent, by its number.
fn served(code: u16, message: &str) -> Error {
    let kind = match code {
        1022 | 1062 | 1586 | 1859 => Kind::Unique,
        1040 | 1047 | 1203 | 1205 | 1226 | 3572 => Kind::Busy,
        1020 | 1213 | 1614 => Kind::Deadlock,
        1053 | 1077..=1079 | 1152..=1161 | 1184 | 1317 | 1927 | 2006 | 2013 | 4031 => Kind::ConnectionLost,
        1044 | 1045 | 1142 | 1143 | 1227 | 1290 | 1370 | 1698 | 1792 | 1836 | 3159 => Kind::Denied,
        1049 | 1146 => Kind::NotFound,
        1021 | 1114 | 1041 => Kind::Full,
        _ => Kind::Other,
    };
    let message = if names_only(code) { message.to_owned() } else { without_values(code, message) };
    let cure = match kind {
        Kind::Busy => " (try again)",
        Kind::Denied if matches!(code, 1045 | 1698) => {
            " (check the user in the URL, and its password: --password-file FILE or STRONGROOM_DATABASE_PASSWORD)"
        }
        Kind::Denied => {
            " (the user needs ALL PRIVILEGES on the bank's database: GRANT ALL PRIVILEGES ON database.* TO user)"
        }
        Kind::NotFound if code == 1049 => " (make it first: CREATE DATABASE)",
        Kind::Full => " (free some disk space on the server; what was committed is safe)",
        _ => "",
    };
    Error::new(kind, format!("MariaDB {code}: {message}{cure}"))
}

/// Messages that quote identifiers only: access, databases, tables, columns, indexes.
fn names_only(code: u16) -> bool {
    matches!(code, 1044..=1046 | 1049..=1052 | 1054 | 1060 | 1061 | 1072 | 1091 | 1142 | 1143 | 1146 | 1227 | 1406 | 1264 | 1364)
}

/// Keeps what stands outside quotes; of a duplicate it keeps the name of the index.
fn without_values(code: u16, message: &str) -> String {
    if matches!(code, 1062 | 1586) {
        let index = message.rsplit_once("for key ").map_or("", |(_, index)| index);
        return format!("duplicate entry for key {index}");
    }
    let Some(first) = message.find(['\'', '"', '`']) else { return message.to_owned() };
    // a value may hold quotes itself, so everything from the first to the last one goes
    let last = message.rfind(['\'', '"', '`']).unwrap_or(first);
    format!("{}'…'{}", &message[..first], &message[last + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_reach_the_message() {
        let error = served(1062, "Duplicate entry 'o'Hara for key 'x'-1' for key 'PRIMARY'");
        assert_eq!(error.kind, Kind::Unique);
        assert_eq!(error.message, "MariaDB 1062: duplicate entry for key 'PRIMARY'");
        let error = served(1366, "Incorrect integer value: 'se'cret' for column `d`.`t`.`c` at row 1");
        assert_eq!(error.message, "MariaDB 1366: Incorrect integer value: '…' at row 1");
        assert_eq!(served(1213, "Deadlock found").kind, Kind::Deadlock);
    }
}
