//! A new password: chosen by someone signed in who gives the present one and a fresh factor, or at the end of
//! a recovery. Everyone else who is signed in as this person is signed out, and the person is told.

use strongroom_crypto::password::Checked;
use strongroom_identity::credential;
use strongroom_store::Id;
use strongroom_store::identity::{self, PersonRow};

use crate::audit::Event;
use crate::factor::step_up;
use crate::keyring::column;
use crate::people::{self, Profile};
use crate::sessions::{self, Caller};
use crate::tries::Against;
use crate::tx::Tx;
use crate::{Bank, Error, Result, sign_in};

/// A password that was chosen and hashed, for the row as it was then.
pub(crate) struct Chosen {
    person: Id,
    before: Vec<u8>,
    sealed: Vec<u8>,
}

impl Bank {
    /// Changes the caller's password.
    pub async fn change_password(&self, caller: &Caller, present: &str, new: &str) -> Result<()> {
        let (asking, tried) = (caller.clone(), Against::own_password(&self.keys, &caller.person));
        let row = self
            .change(move |tx| {
                let seen = sessions::see(tx.connection, tx.keys, &asking, tx.now_us)?;
                step_up(seen.session.factor_us, tx.now_us)?;
                tx.reserve(&[tried])?;
                Ok(seen.person)
            })
            .await?;
        if self.check_password(present, self.password_hash(&row)).await? == Checked::Wrong {
            let wrong = caller.clone();
            self.change(move |tx| tx.audit(Event::by(&wrong, "password.wrong"))).await?;
            let detail = "This is not your present password.";
            return Err(Error::field("current_password", "wrong_password", detail));
        }
        let chosen = self.choose_password(row, "new_password", new).await?;
        let caller = caller.clone();
        self.change(move |tx| {
            let seen = sessions::see(tx.connection, tx.keys, &caller, tx.now_us)?;
            step_up(seen.session.factor_us, tx.now_us)?;
            put(tx, &chosen)?;
            // Whoever knew the old one may have a sign-in or a recovery under way.
            sign_in::end_recoveries(tx, &caller.person)?;
            identity::end_challenges_of(tx.connection, &caller.person, tx.now_us)?;
            tx.forget_tries(tried)?;
            sessions::end_others(tx, &caller.person, Some(&caller.session))?;
            tx.audit(Event::by(&caller, "password.changed"))
        })
        .await
    }

    /// Looks at a password that a person wants, as at sign-up, and hashes it. `field` names it in what is refused.
    pub(crate) async fn choose_password(&self, row: PersonRow, field: &'static str, new: &str) -> Result<Chosen> {
        let (keys, person) = (self.keys.clone(), row.clone());
        let profile = self
            .read(move |c| {
                let profile = identity::profile(c, &person.id)?.ok_or(Error::NotFound)?;
                people::open(&keys, &person, &profile)
            })
            .await?;
        let Profile { username, full_name, email, phone, .. } = profile;
        let own: Vec<&str> = [Some(username.as_str()), full_name.as_deref(), email.as_deref(), phone.as_deref()]
            .into_iter()
            .flatten()
            .collect();
        let is_blocked = self.blocked_passwords.contains(&new.to_lowercase());
        credential::check_password(new, true, &own, is_blocked).map_err(|errors| {
            Error::Invalid(errors.into_iter().map(|error| credential::FieldError { field, ..error }).collect())
        })?;
        let (hasher, scheme, new) = (self.keys.hasher(), self.config.password.scheme(), new.to_owned());
        let hash = self.hashing.run(move || hasher.hash(scheme, &new)).await?;
        let sealed = self.keys.seal_credential(column::PASSWORD, &row.id, hash.as_bytes());
        Ok(Chosen { person: row.id, before: row.password, sealed })
    }
}

/// Puts a chosen password in place, and tells its owner.
pub(crate) fn put(tx: &mut Tx<'_>, chosen: &Chosen) -> Result<()> {
    if !identity::renew_password(tx.connection, &chosen.person, &chosen.before, &chosen.sealed)? {
        let detail = "Your password was changed meanwhile; sign in with the new one.".to_owned();
        return Err(Error::Conflict { code: "password_changed", detail });
    }
    let text = "Your password was changed at the bank just now. If it was not you, tell the bank at once.";
    tx.notify(&chosen.person, "Your password was changed", text)
}
