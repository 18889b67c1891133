//! `strongroom user`: people of the bank. Importing reads a file at the bank's own console; the rest is done
//! by staff who are signed in.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::json;
use strongroom_api::{PersonItem, PersonView};
use strongroom_bank::Bank;
use strongroom_bank::people::{Coming, Refusal, SignUp};
use strongroom_client::Client;

use crate::Global;
use crate::approval;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::{Remote, block_on, data};

/// What to do with people.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// Bring people over from another system, with the password hashes that it made
    Import {
        /// CSV with a header, or a JSON array: username, password_hash, email, phone, full_name, national_id,
        /// date_of_birth, address
        file: PathBuf,
        /// The role they get
        #[arg(long, default_value = "customer")]
        role: String,
        /// Only look whether all of them could be imported
        #[arg(long)]
        dry_run: bool,
    },
    #[command(flatten)]
    Staff(StaffVerb),
}

/// What staff who are signed in do with people.
#[derive(clap::Subcommand, Debug)]
pub enum StaffVerb {
    /// Invite somebody under a role; the code is shown once
    Invite {
        /// teller, manager, admin, auditor or customer
        #[arg(long)]
        role: String,
    },
    /// People: id, standing and roles
    List,
    /// The person of a user name
    Find {
        /// Exactly
        username: String,
    },
    /// A person, their identifiers masked
    Show {
        /// usr_…
        id: String,
    },
    /// See some masked fields of a person, for a reason that is kept
    Reveal {
        /// usr_…
        id: String,
        /// full_name, email, phone, national_id, date_of_birth, address; give it again for another one
        #[arg(long = "field", required = true)]
        fields: Vec<String>,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Ask for a person's roles; a second person approves
    Roles {
        /// usr_…
        id: String,
        /// Role names, in the place of those they have
        #[arg(required = true)]
        roles: Vec<String>,
    },
    /// Sign a person out everywhere, and let them sign in no more
    Lock {
        /// usr_…
        id: String,
    },
    /// Let a person in again
    Unlock {
        /// usr_…
        id: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    username: String,
    password_hash: String,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    full_name: Option<String>,
    #[serde(default)]
    national_id: Option<String>,
    #[serde(default)]
    date_of_birth: Option<String>,
    #[serde(default)]
    address: Option<String>,
}

/// People read at a time.
const PAGE: usize = 200;
/// Refusals that are shown.
const SHOWN_MAX: usize = 20;

/// Runs a verb.
pub fn run(global: &Global, verb: Verb) -> Outcome {
    match verb {
        Verb::Import { file, role, dry_run } => import(global, &file, &role, dry_run),
        Verb::Staff(verb) => block_on(ask_bank(global, verb)),
    }
}

async fn ask_bank(global: &Global, verb: StaffVerb) -> Outcome {
    let client = Remote::open(global).await?.signed_in().await?;
    match verb {
        StaffVerb::Invite { role } => {
            let invitation = client.invite(&role).await?;
            global.print(&data(&invitation), || {
                let waits = invitation.approval.as_ref().map_or_else(String::new, |approval| {
                    format!("\nA second person approves it first: `strongroom approval approve {approval}`.")
                });
                format!("{}\nGood for one person, as {role}, until {}.{waits}", invitation.code, invitation.expires_at)
            });
        }
        StaffVerb::List => {
            let people = everyone(&client).await?;
            global.print(&json!({"items": people}), || people.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        StaffVerb::Find { username } => {
            let nobody = || Failure::new(Exit::NotFound, "nobody has this user name; it is found only as a whole");
            let person = client.find_person(&username).await?.ok_or_else(nobody)?;
            global.print(&data(&person), || line(&person));
        }
        StaffVerb::Show { id } => shown(global, &client.person(&id).await?),
        StaffVerb::Reveal { id, fields, reason } => shown(global, &client.reveal(&id, &fields, &reason).await?),
        StaffVerb::Roles { id, roles } => approval::asked(global, &client.ask_for_roles(&id, &roles).await?),
        StaffVerb::Lock { id } => set_locked(global, &client, &id, true).await?,
        StaffVerb::Unlock { id } => set_locked(global, &client, &id, false).await?,
    }
    Ok(())
}

fn shown(global: &Global, person: &PersonView) {
    let fields = [
        ("user name", Some(&person.username)),
        ("full name", person.full_name.as_ref()),
        ("e-mail", person.email.as_ref()),
        ("phone", person.phone.as_ref()),
        ("national id", person.national_id.as_ref()),
        ("born", person.date_of_birth.as_ref()),
        ("address", person.address.as_ref()),
    ];
    global.print(&data(person), || {
        let given = fields.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        let lines = given.filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name:12} {value}"));
        let head = format!("{}  {}  {}", person.id, person.status, person.roles.join(","));
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    });
}

async fn everyone(client: &Client) -> Outcome<Vec<PersonItem>> {
    let (mut people, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.people(cursor.as_deref(), PAGE).await?;
        people.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(people);
        }
    }
}

async fn set_locked(global: &Global, client: &Client, id: &str, is_locked: bool) -> Outcome {
    client.set_locked(id, is_locked).await?;
    let status = if is_locked { "locked" } else { "active" };
    global.print(&json!({"id": id, "status": status}), || format!("{id} is {status}"));
    Ok(())
}

fn line(person: &PersonItem) -> String {
    format!("{}  {:8} {}  since {}", person.id, person.status, person.roles.join(","), person.created_at)
}

fn import(global: &Global, file: &Path, role: &str, dry_run: bool) -> Outcome {
    let people: Vec<Coming> = read(file)?.into_iter().map(coming).collect();
    let bank = Bank::open(&global.home())?;
    let refusals = bank.check_import(&people)?;
    if !refusals.is_empty() {
        return Err(refused(global, people.len(), &refusals));
    }
    let imported = if dry_run { 0 } else { bank.import(&people, role)? };
    bank.close();
    global.print(&json!({"ok": true, "people": people.len(), "imported": imported}), || match dry_run {
        true => format!("All {} people can be imported.", people.len()),
        false => format!("{imported} people were imported. They sign in with the passwords they have."),
    });
    Ok(())
}

fn refused(global: &Global, people: usize, refusals: &[Refusal]) -> Failure {
    let listed: Vec<_> = refusals
        .iter()
        .map(|r| json!({"number": r.number, "field": r.field.field, "code": r.field.code, "detail": r.field.detail}))
        .collect();
    global.print(&json!({"ok": false, "people": people, "refusals": listed}), || {
        let line = |r: &Refusal| format!("number {}, {}: {}", r.number, r.field.field, r.field.detail);
        refusals.iter().take(SHOWN_MAX).map(line).collect::<Vec<_>>().join("\n")
    });
    let count = refusals.len();
    Failure::new(
        Exit::Failed,
        format!("{count} things are wrong in the file; nobody was imported. Mend them and try again"),
    )
}

fn read(file: &Path) -> Outcome<Vec<Row>> {
    let unreadable = |what: String| Failure::new(Exit::Failed, format!("{}: {what}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| unreadable(e.to_string()))?;
    if text.trim_start().starts_with('[') {
        // serde's own words may hold a value: its place is enough.
        let what = "not an array of people with the fields that `--help` lists";
        return serde_json::from_str(&text)
            .map_err(|e| unreadable(format!("line {}, column {}: {what}", e.line(), e.column())));
    }
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let what = "not a row with the columns that `--help` lists; the first line must name them";
    let numbered = (1..).zip(reader.deserialize());
    numbered.map(|(number, row)| row.map_err(|_| unreadable(format!("number {number}: {what}")))).collect()
}

fn coming(row: Row) -> Coming {
    let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let form = SignUp {
        username: row.username.trim().to_owned(),
        password: String::new(),
        full_name: given(row.full_name),
        email: given(row.email),
        phone: given(row.phone),
        national_id: given(row.national_id),
        date_of_birth: given(row.date_of_birth),
        address: given(row.address),
    };
    Coming { form, password_hash: row.password_hash.trim().to_owned() }
}
