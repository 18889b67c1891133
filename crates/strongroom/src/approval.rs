//! `strongroom approval`, `role` and `service`: what a second person has to approve. Who approves sees what is
//! asked for, and signs exactly that with their device.

use serde_json::json;
use strongroom_api::{Approval, RoleDefinition, RoleItem};
use strongroom_client::Client;

use crate::Global;
use crate::ask;
use crate::failure::{Exit, Failure, Outcome};
use crate::remote::{Remote, data, now_s};

/// What to do with requests.
#[derive(clap::Subcommand, Debug)]
pub enum Verb {
    /// What waits for a second person
    List {
        /// What was decided, too
        #[arg(long)]
        all: bool,
    },
    /// One request
    Show {
        /// apr_…
        id: String,
    },
    /// Approve exactly what was asked for, signed by your device, and have it done
    Approve {
        /// apr_…
        id: String,
        /// Do not ask whether it is meant
        #[arg(long)]
        yes: bool,
    },
    /// Refuse a request, or withdraw your own
    Refuse {
        /// apr_…
        id: String,
    },
}

/// What to do with roles.
#[derive(clap::Subcommand, Debug)]
pub enum RoleVerb {
    /// All roles and what they allow
    List,
    /// Ask for a role, or for other permissions of one; a second person approves
    Define {
        /// 3 to 24 lower-case letters, digits and hyphens
        name: String,
        /// Names of permissions, as `role list` shows them
        permissions: Vec<String>,
        /// It is of the bank's own staff
        #[arg(long)]
        staff: bool,
    },
    /// Ask for a role's end; a second person approves
    Remove {
        /// Its name
        name: String,
    },
}

/// What to do with service accounts.
#[derive(clap::Subcommand, Debug)]
pub enum ServiceVerb {
    /// Ask for a service account; a second person approves
    Create {
        /// Its user name
        name: String,
        /// A role it gets; give it again for another one
        #[arg(long = "role", required = true)]
        roles: Vec<String>,
    },
    /// The keys of a service account
    #[command(subcommand)]
    Key(KeyVerb),
}

/// What to do with keys of service accounts.
#[derive(clap::Subcommand, Debug)]
pub enum KeyVerb {
    /// Ask for a key; it is shown once, and good when a second person has approved it
    Make {
        /// usr_…
        service: String,
        /// For how many days it holds
        #[arg(long, default_value_t = 90)]
        days: i64,
    },
    /// Those that hold
    List {
        /// usr_…
        service: String,
    },
    /// End a key at once
    End {
        /// usr_…
        service: String,
        /// sess_…
        key: String,
    },
}

/// Requests read at a time.
const PAGE: usize = 200;

/// Runs a verb about requests.
pub async fn run(global: &Global, verb: Verb) -> Outcome {
    let remote = Remote::open(global).await?;
    let client = remote.signed_in().await?;
    match verb {
        Verb::List { all } => {
            let items = every(&client, !all).await?;
            global.print(&json!({"items": items}), || match items.is_empty() {
                true => "Nothing waits.".into(),
                false => items.iter().map(line).collect::<Vec<_>>().join("\n"),
            });
        }
        Verb::Show { id } => {
            let request = client.approval(&id).await?;
            global.print(&data(&request), || whole(&request));
        }
        Verb::Approve { id, yes } => {
            let request = client.approval(&id).await?;
            if !yes {
                eprintln!("{}", whole(&request));
                if global.no_input || !ask::confirm("Approve exactly this?")? {
                    return Err(Failure::new(Exit::Usage, "nothing was done; give --yes to go on without being asked"));
                }
            }
            let done = client.approve(&remote.signer()?, &request, now_s()).await?;
            global.print(&data(&done), || format!("{} is {}", done.id, done.status));
        }
        Verb::Refuse { id } => {
            let done = client.refuse(&id).await?;
            global.print(&data(&done), || format!("{} is {}", done.id, done.status));
        }
    }
    Ok(())
}

/// Runs a verb about roles.
pub async fn roles(global: &Global, verb: RoleVerb) -> Outcome {
    let client = Remote::open(global).await?.signed_in().await?;
    match verb {
        RoleVerb::List => {
            let roles = client.roles().await?;
            let line = |role: &RoleItem| {
                let kind = if role.staff { "staff" } else { "" };
                format!("{:24} {kind:6} {}", role.name, role.permissions.join(" "))
            };
            global.print(&data(&roles), || roles.items.iter().map(line).collect::<Vec<_>>().join("\n"));
        }
        RoleVerb::Define { name, permissions, staff } => {
            asked(global, &client.ask_for_role(&name, &RoleDefinition { staff, permissions }).await?);
        }
        RoleVerb::Remove { name } => asked(global, &client.ask_for_roles_end(&name).await?),
    }
    Ok(())
}

/// Runs a verb about service accounts.
pub async fn services(global: &Global, verb: ServiceVerb) -> Outcome {
    let client = Remote::open(global).await?.signed_in().await?;
    match verb {
        ServiceVerb::Create { name, roles } => asked(global, &client.ask_for_service(&name, &roles).await?),
        ServiceVerb::Key(KeyVerb::Make { service, days }) => {
            let key = client.make_service_key(&service, days).await?;
            global.print(&data(&key), || {
                format!(
                    "{}\nIt is not shown again. Good until {}, once a second person has approved it: `strongroom approval approve {}`.",
                    key.api_key, key.expires_at, key.approval
                )
            });
        }
        ServiceVerb::Key(KeyVerb::List { service }) => {
            let keys = client.service_keys(&service).await?;
            global.print(&data(&keys), || {
                let lines = keys.items.iter().map(|key| format!("{}  until {}", key.id, key.expires_at));
                lines.collect::<Vec<_>>().join("\n")
            });
        }
        ServiceVerb::Key(KeyVerb::End { service, key }) => {
            client.end_service_key(&service, &key).await?;
            global.print(&json!({"id": key, "status": "ended"}), || format!("{key} is ended"));
        }
    }
    Ok(())
}

/// Tells that something waits for a second person.
pub fn asked(global: &Global, request: &Approval) {
    global.print(&data(request), || {
        format!(
            "{} waits for a second person: `strongroom approval approve {}`, until {}",
            request.id, request.id, request.expires_at
        )
    });
}

async fn every(client: &Client, pending: bool) -> Outcome<Vec<Approval>> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.approvals(pending, cursor.as_deref(), PAGE).await?;
        items.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(items);
        }
    }
}

fn line(request: &Approval) -> String {
    format!("{}  {:8}  {}", request.id, request.status, request.request)
}

fn whole(request: &Approval) -> String {
    format!(
        "{}\nstatus   {}\nrequest  {}\ndigest   {}\nby       {} at {}\nuntil    {}",
        request.id,
        request.status,
        request.request,
        request.digest,
        request.requested_by,
        request.created_at,
        request.expires_at
    )
}
