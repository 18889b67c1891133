//! People's data as staff see them: identifiers by their last four characters. What is masked is shown by a
//! reveal: to who may, with a fresh factor, field by field, once, for a reason that the audit log keeps.

use strongroom_identity::credential;
use strongroom_identity::role::Permission;
use strongroom_ledger::id::PersonId;
use strongroom_store::identity::{self, PersonRow};
use strongroom_store::{Connection, Id};

use crate::audit::Event;
use crate::factor::step_up;
use crate::keyring::Keyring;
use crate::people::{self, Profile};
use crate::rows::Authenticated;
use crate::sessions::{self, Caller};
use crate::{Bank, Error, Result, clock, staff};

/// Who may look at people, masked.
const LOOKS: [Permission; 2] = [Permission::PeopleRead, Permission::BooksRead];
/// Fields that are masked.
const MASKED: [&str; 6] = ["full_name", "email", "phone", "national_id", "date_of_birth", "address"];

impl Bank {
    /// A person, masked. Their name is shown to who deals with people, and masked for who reads the books.
    pub async fn person(&self, caller: &Caller, person: PersonId) -> Result<Profile> {
        self.note_look(caller, &LOOKS, "person.seen", Some(person.0)).await?;
        let (keys, caller, now_us) = (self.keys.clone(), caller.clone(), clock::now_us());
        self.read(move |c| {
            let seen = sessions::see(c, &keys, &caller, now_us)?;
            staff::allow(&seen, &LOOKS)?;
            let (_, profile) = opened(c, &keys, &person.0)?;
            let full_name = match seen.permissions.allows(Permission::PeopleRead) {
                true => profile.full_name,
                false => profile.full_name.map(|name| last_four(&name)),
            };
            let mask = |value: Option<String>| value.map(|value| last_four(&value));
            let hide = |value: Option<String>| value.map(|_| last_four(""));
            Ok(Profile {
                full_name,
                username: last_four(&profile.username),
                email: mask(profile.email),
                phone: mask(profile.phone),
                national_id: mask(profile.national_id),
                // Their ends would tell too much.
                date_of_birth: hide(profile.date_of_birth),
                address: hide(profile.address),
                ..profile
            })
        })
        .await
    }

    /// Writes down that staff look at what is not theirs, before they see it.
    pub(crate) async fn note_look(
        &self,
        caller: &Caller,
        any: &'static [Permission],
        event: &'static str,
        subject: Option<Id>,
    ) -> Result<()> {
        let caller = caller.clone();
        self.change(move |tx| {
            staff::permitted(tx, &caller, any)?;
            let event = Event::by(&caller, event);
            tx.audit(subject.map_or(event.clone(), |subject| event.on(subject)))
        })
        .await
    }

    /// Shows some masked fields of a person, once. The rest stays empty.
    pub async fn reveal(&self, caller: &Caller, person: PersonId, fields: &[String], reason: &str) -> Result<Profile> {
        if let Some(unknown) = fields.iter().find(|field| !MASKED.contains(&field.as_str())) {
            let shown: String = unknown.chars().take(40).collect();
            let detail = format!("`{shown}` is not masked; give some of {}.", MASKED.join(", "));
            return Err(Error::field("fields", "unknown_field", &detail));
        }
        if fields.is_empty() || fields.len() > MASKED.len() {
            return Err(Error::field("fields", "required", "Say which fields you need."));
        }
        credential::check_reason(reason).map_err(|error| Error::Invalid(vec![error]))?;
        let (caller, fields, reason) = (caller.clone(), fields.to_vec(), reason.trim().to_owned());
        self.change(move |tx| {
            let seen = staff::permitted(tx, &caller, &[Permission::PeopleReveal])?;
            step_up(seen.session.factor_us, tx.now_us)?;
            if person.0 == caller.person {
                return Err(Error::forbidden("own_person", "Your own data are on your own page."));
            }
            let (_, profile) = opened(tx.connection, tx.keys, &person.0)?;
            let shown = |name: &str, value: Option<String>| value.filter(|_| fields.iter().any(|field| field == name));
            let note = format!("{}: {reason}", fields.join(" "));
            tx.audit(Event::by(&caller, "person.revealed").on(person.0).noting(&note))?;
            Ok(Profile {
                username: String::new(),
                full_name: shown("full_name", profile.full_name),
                email: shown("email", profile.email),
                phone: shown("phone", profile.phone),
                national_id: shown("national_id", profile.national_id),
                date_of_birth: shown("date_of_birth", profile.date_of_birth),
                address: shown("address", profile.address),
                ..profile
            })
        })
        .await
    }
}

fn opened(connection: &mut dyn Connection, keys: &Keyring, person: &Id) -> Result<(PersonRow, Profile)> {
    let row = identity::people(connection, &[*person])?.pop().ok_or(Error::NotFound)?;
    row.check(keys)?;
    let profile = identity::profile(connection, person)?.ok_or(Error::NotFound)?;
    let opened = people::open(keys, &row, &profile)?;
    Ok((row, opened))
}

/// Dots, and the last four characters where that leaves as many hidden.
pub(crate) fn last_four(text: &str) -> String {
    let count = text.chars().count();
    let shown = if count >= 8 { 4 } else { 0 };
    let end: String = text.chars().skip(count - shown).collect();
    format!("\u{2022}\u{2022}\u{2022}\u{2022}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_is_shown_and_of_short_texts_nothing() {
        for (text, masked) in [
            ("4111111111111234", "••••1234"),
            ("12345678", "••••5678"),
            ("1234567", "••••"),
            ("", "••••"),
            ("ñandú-ÁÉÍÓ", "••••ÁÉÍÓ"),
        ] {
            assert_eq!(last_four(text), masked);
        }
    }
}
