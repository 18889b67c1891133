//! Recovery codes: ten on paper, each good once, for the day when the other factor is lost. The bank
//! keeps their hashes alone, sealed together.

use strongroom_crypto::digest::sha256;
use strongroom_crypto::random;
use strongroom_identity::factor::FactorKind;
use strongroom_ledger::id::FactorId;
use strongroom_store::factors::{self, FactorRow};

use super::{begin, confirm, held, step_up};
use crate::audit::Event;
use crate::keyring::{Keyring, column};
use crate::sessions::{self, Caller};
use crate::tx::Tx;
use crate::{Bank, Result, clock};

/// New codes, shown once.
pub struct NewCodes {
    /// The factor's id.
    pub id: FactorId,
    /// Each as four groups of four.
    pub codes: Vec<String>,
}

const CODES: usize = 10;
/// 16 of 32 signs each: 80 bits.
const SIGNS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
const HASH: usize = 16;

impl Bank {
    /// Makes new recovery codes; those before are good no more.
    pub async fn make_recovery_codes(&self, caller: &Caller) -> Result<NewCodes> {
        let codes: Vec<String> = (0..CODES).map(|_| new_code()).collect();
        let hashes: Vec<u8> = codes.iter().flat_map(|code| hash(code)).collect();
        let (caller, id) = (caller.clone(), FactorId::from_time(clock::now_us(), random::bytes()));
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            step_up(seen.session.factor_us, tx.now_us)?;
            for old in held(tx.connection, tx.keys, &caller.person)? {
                if old.kind == FactorKind::Recovery as i64 {
                    factors::delete(tx.connection, &old.id)?;
                }
            }
            let row = begin(tx, id.0, caller.person, FactorKind::Recovery, &hashes)?;
            confirm(tx, row)
        })
        .await?;
        Ok(NewCodes { id, codes: codes.iter().map(|code| grouped(code)).collect() })
    }
}

/// The row without the code that was given, if it was one of them.
pub(super) fn meet(tx: &mut Tx<'_>, row: &FactorRow, code: &str) -> Result<Option<FactorRow>> {
    let context = [row.id, row.person].concat();
    let hashes = tx.keys.unseal_credential(column::FACTOR_SECRET, &context, &row.secret)?;
    let given = hash(&code.to_lowercase());
    // All are looked at, so that the time does not tell which one it was.
    let is_it = |kept: &&[u8]| strongroom_crypto::mac::equal(kept, &given);
    let rest: Vec<u8> = hashes.chunks(HASH).filter(|kept| !is_it(kept)).flatten().copied().collect();
    if rest.len() == hashes.len() {
        return Ok(None);
    }
    tx.audit(Event::of(row.person, "recovery_code.used").on(row.id))?;
    let text = "One of your recovery codes was used at the bank just now. If it was not you, tell the bank at once.";
    tx.notify(&row.person, "A recovery code was used", text)?;
    Ok(Some(FactorRow { secret: tx.keys.seal_credential(column::FACTOR_SECRET, &context, &rest), ..row.clone() }))
}

/// How many codes are left.
pub(super) fn left(keys: &Keyring, row: &FactorRow) -> Option<u64> {
    if row.kind != FactorKind::Recovery as i64 {
        return None;
    }
    let context = [row.id, row.person].concat();
    let hashes = keys.unseal_credential(column::FACTOR_SECRET, &context, &row.secret).ok()?;
    Some((hashes.len() / HASH) as u64)
}

fn new_code() -> String {
    random::bytes::<16>().iter().map(|byte| SIGNS[usize::from(byte & 31)] as char).collect()
}

fn grouped(code: &str) -> String {
    let groups: Vec<&str> = [(0, 4), (4, 8), (8, 12), (12, 16)].iter().filter_map(|(a, b)| code.get(*a..*b)).collect();
    groups.join("-")
}

fn hash(code: &str) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(&sha256(code.as_bytes())[..HASH]);
    hash
}
