//! What each page shows: plain values, ready to print. The templates stand beside in `templates/`.

use askama::Template;
use strongroom_identity::factor::FactorKind;

use super::fields::Field;
use super::words::{Moment, Sum};

/// What stands around every page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    /// The bank's name.
    pub bank: String,
    /// Where the assets of this build are.
    pub assets: &'static str,
    /// The token of this visitor's forms.
    pub csrf: String,
    /// Who is signed in.
    pub who: Option<Who>,
    /// The page of the navigation that this one belongs to.
    pub here: Here,
    /// A message above the page.
    pub notice: Option<Notice>,
}

/// The person who is signed in.
#[derive(Clone, Debug, Default)]
pub struct Who {
    /// What we call them.
    pub name: String,
    /// They may have accounts and make transfers.
    pub is_customer: bool,
    /// They may take cash.
    pub is_teller: bool,
    /// Seconds without a request after which they are signed out.
    pub idle_s: i64,
}

/// The parts of the navigation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Here {
    /// Accounts and their entries.
    #[default]
    Accounts,
    /// The transfer form.
    Transfer,
    /// The teller's desk.
    Cash,
    /// Signing keys.
    Devices,
    /// How one signs in.
    Security,
}

/// One link of the navigation.
#[derive(Debug)]
pub struct Link {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: &'static str,
    /// It leads to this page.
    pub is_here: bool,
}

impl Frame {
    /// The navigation for who is signed in.
    pub fn links(&self) -> Vec<Link> {
        let Some(who) = &self.who else { return Vec::new() };
        [
            (who.is_customer, Here::Accounts, "/accounts", "Accounts"),
            (who.is_customer, Here::Transfer, "/transfers/new", "Transfer"),
            (who.is_teller, Here::Cash, "/cash", "Cash"),
            (true, Here::Devices, "/devices", "Devices"),
            (true, Here::Security, "/security", "Security"),
        ]
        .into_iter()
        .filter(|(is_shown, ..)| *is_shown)
        .map(|(_, here, href, label)| Link { href, label, is_here: here == self.here })
        .collect()
    }
}

/// A message above the page.
#[derive(Clone, Debug)]
pub struct Notice {
    /// `good`, `bad`, `care` or nothing.
    pub tone: &'static str,
    /// In a few words.
    pub title: String,
    /// More, if there is more to say.
    pub text: String,
}

impl Notice {
    /// Something worked.
    pub fn good(title: &str, text: &str) -> Self {
        Self { tone: "good", title: title.into(), text: text.into() }
    }

    /// Something to know.
    pub fn care(title: &str, text: &str) -> Self {
        Self { tone: "care", title: title.into(), text: text.into() }
    }

    /// How loudly a screen reader says it.
    pub fn role(&self) -> &'static str {
        if self.tone == "bad" { "alert" } else { "status" }
    }
}

/// Why a form was not accepted.
#[derive(Clone, Debug, Default)]
pub struct Trouble {
    /// In a few words; empty when there is none.
    pub title: String,
    /// What to do.
    pub text: String,
    /// What is wrong with which field.
    pub fields: Vec<(String, String)>,
}

impl Trouble {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty()
    }

    /// What is wrong with the field called `name`.
    pub fn of(&self, name: &str) -> &str {
        self.fields.iter().find(|(field, _)| field == name).map_or("", |(_, text)| text)
    }
}

/// `/`: what the bank is, and signing in.
#[derive(Template)]
#[template(path = "landing.html")]
pub struct Landing {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// User name.
    pub username: Field,
    /// Password.
    pub password: Field,
}

/// `/sign-up` and `/join`.
#[derive(Template)]
#[template(path = "sign_up.html")]
pub struct SignUpPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// The title.
    pub heading: &'static str,
    /// A sentence below it.
    pub lead: &'static str,
    /// Where the form goes.
    pub action: &'static str,
    /// User name, password and, for an invitation, its code.
    pub entry: Vec<Field>,
    /// E-mail and phone.
    pub contact: Vec<Field>,
    /// The rest.
    pub details: Vec<Field>,
    /// Show the rest at once.
    pub is_more_open: bool,
}

/// `/sign-in/code`: the second step.
#[derive(Template)]
#[template(path = "code.html")]
pub struct CodePage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// The title.
    pub heading: &'static str,
    /// Where its forms go.
    pub paths: CodePaths,
    /// What the button says.
    pub button: &'static str,
    /// A passkey will do.
    pub takes_passkey: bool,
    /// The code.
    pub code: Field,
    /// The kind of code: `totp`, `email`, `sms` or `recovery`.
    pub by: &'static str,
    /// It is on its way.
    pub is_sent: bool,
    /// Other kinds that will do.
    pub others: Vec<&'static str>,
}

/// Where the forms of a page go that asks for a factor.
pub struct CodePaths {
    /// A code.
    pub code: &'static str,
    /// That one be sent.
    pub send: &'static str,
    /// What a passkey is to sign.
    pub ask: &'static str,
    /// What it has signed.
    pub passkey: &'static str,
}

impl CodePaths {
    /// The second step of a sign-in; a passkey signs in alone.
    pub const SIGN_IN: CodePaths = CodePaths {
        code: "/sign-in/code",
        send: "/sign-in/send",
        ask: "/v1/sessions/passkey",
        passkey: "/sign-in/passkey",
    };
    /// A factor given again.
    pub const STEP_UP: CodePaths =
        CodePaths { code: "/step-up", send: "/step-up/send", ask: "/step-up/ask", passkey: "/step-up/passkey" };

    fn begins_with_password(&self) -> bool {
        self.code == Self::SIGN_IN.code
    }
}

impl CodePage {
    /// The page that asks for a code of one kind, of those offered, and offers the others.
    pub fn of(frame: Frame, offered: Vec<FactorKind>, by: &str, is_sent: bool, trouble: Trouble) -> Self {
        let asks = |kind: &FactorKind| *kind != FactorKind::Passkey;
        let chosen = FactorKind::from_name(by).filter(|kind| offered.contains(kind) || offered.is_empty());
        let other_than_passkey = chosen.filter(asks).or_else(|| offered.iter().copied().find(asks));
        // Nothing but passkeys: there is no code to type.
        let kind =
            other_than_passkey.unwrap_or(if offered.is_empty() { FactorKind::Totp } else { FactorKind::Passkey });
        let field = match kind {
            FactorKind::Recovery => Field::recovery_code(),
            FactorKind::Email | FactorKind::Sms => Field::sent_code(),
            FactorKind::Totp | FactorKind::Passkey => Field::code(),
        };
        let others = offered.iter().copied().filter(|other| asks(other) && *other != kind);
        CodePage {
            frame,
            heading: "One more step",
            paths: CodePaths::SIGN_IN,
            button: "Sign in",
            takes_passkey: offered.contains(&FactorKind::Passkey),
            code: field.trouble(&trouble).focused(),
            trouble,
            by: kind.name(),
            is_sent,
            others: others.map(FactorKind::name).collect(),
        }
    }
}

/// `/recover`: getting back in.
#[derive(Template)]
#[template(path = "recover.html")]
pub struct RecoverPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// Where it stands; none before it begins.
    pub recovery: Option<RecoverySteps>,
    /// Whose access it is.
    pub username: Field,
}

/// A recovery that was begun.
pub struct RecoverySteps {
    /// What was proven, in words.
    pub proven: Vec<&'static str>,
    /// Forms for what was not: the kind, its heading, and its field.
    pub open: Vec<(&'static str, &'static str, Field)>,
    /// From when on it can be finished.
    pub ready: Option<Moment>,
    /// That time has come.
    pub is_ready: bool,
    /// A new password, where the present one was not proven.
    pub password: Option<Field>,
    /// The factors are replaced.
    pub replaces_factors: bool,
}

/// `/contact`: addresses, and the proof that they are one's own.
#[derive(Template)]
#[template(path = "contact.html")]
pub struct ContactPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// E-mail and phone.
    pub ways: Vec<ContactWay>,
}

/// One way to reach somebody.
pub struct ContactWay {
    /// `email` or `phone`.
    pub kind: &'static str,
    /// What it is called.
    pub label: &'static str,
    /// The address; empty where none was given.
    pub address: String,
    /// It was proven.
    pub is_verified: bool,
    /// Codes go there as a second factor.
    pub is_factor: bool,
    /// The bank can send there.
    pub is_served: bool,
    /// The code that was sent.
    pub code: Field,
}

/// A second factor.
#[derive(Clone, Debug)]
pub struct FactorLine {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is.
    pub kind: &'static str,
    /// When it was made.
    pub since: Moment,
    /// When it was last used.
    pub used: Option<Moment>,
    /// How many codes are left.
    pub left: String,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Happening {
    /// In a few words.
    pub what: String,
    /// When.
    pub time: Moment,
    /// From which address.
    pub place: String,
    /// With which program, in a few words.
    pub agent: String,
}

/// `/security`.
#[derive(Template)]
#[template(path = "security.html")]
pub struct SecurityPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// The second factors.
    pub factors: Vec<FactorLine>,
    /// New recovery codes, shown now and never again.
    pub codes: Vec<String>,
    /// What happened lately.
    pub history: Vec<Happening>,
    /// The name of a new passkey.
    pub name: Field,
    /// The present and the next password.
    pub passwords: [Field; 2],
}

/// `/enrol`: the first authenticator.
#[derive(Template)]
#[template(path = "enrol.html")]
pub struct EnrolPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// The factor to be confirmed.
    pub factor: String,
    /// The secret, in groups; empty when it was shown before.
    pub secret: String,
    /// The same as a link.
    pub otpauth_uri: String,
    /// The same as an SVG.
    pub qr: String,
    /// The code.
    pub code: Field,
}

/// An account as its owner sees it.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its number, in groups.
    pub number: String,
    /// Its status when it is not simply open.
    pub state: &'static str,
    /// How the status is coloured.
    pub tone: &'static str,
    /// Its balance.
    pub balance: Sum,
    /// What may be spent.
    pub available: Sum,
}

/// `/accounts`.
#[derive(Template)]
#[template(path = "accounts.html")]
pub struct AccountsPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// "Good to see you, Amelia".
    pub greeting: String,
    /// A sentence below it.
    pub summary: String,
    /// The accounts.
    pub accounts: Vec<AccountView>,
    /// They may open one.
    pub can_open: bool,
    /// There is something to pay from.
    pub can_transfer: bool,
    /// They have no device that signs.
    pub needs_key: bool,
    /// The name of the account to open.
    pub name: Field,
    /// The currencies offered.
    pub currencies: Vec<String>,
}

/// A line of an account.
#[derive(Clone, Debug)]
pub struct EntryView {
    /// The posting's id.
    pub transfer: String,
    /// When.
    pub time: Moment,
    /// What for.
    pub description: String,
    /// How much.
    pub amount: Sum,
    /// Money went out.
    pub is_debit: bool,
    /// The balance afterwards.
    pub balance_after: Sum,
}

/// `/accounts/{id}`.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// Around the page.
    pub frame: Frame,
    /// The account.
    pub account: AccountView,
    /// Its lines.
    pub entries: Vec<EntryView>,
    /// No cursor was given.
    pub is_first_page: bool,
    /// Where older lines begin; empty when there are none.
    pub next_cursor: String,
    /// It can be paid from.
    pub can_transfer: bool,
}

/// What the signing module needs to know.
#[derive(Clone, Debug, Default)]
pub struct Signing {
    /// The log's name: the audience of signatures.
    pub audience: String,
    /// Whose key.
    pub user: String,
    /// The server's time, in seconds.
    pub time_s: i64,
}

/// `/transfers/new`.
#[derive(Template)]
#[template(path = "transfer_form.html")]
pub struct TransferForm {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// For the signing module.
    pub signing: Signing,
    /// The accounts to pay from.
    pub accounts: Vec<AccountView>,
    /// The one chosen.
    pub from: String,
    /// Account number of the payee.
    pub to: Field,
    /// How much.
    pub amount: Field,
    /// What for.
    pub description: Field,
    /// The command that does the same.
    pub command: &'static str,
    /// The title of the review.
    pub review_title: &'static str,
    /// Its button.
    pub review_button: &'static str,
}

/// `/cash`: a teller's deposit.
#[derive(Template)]
#[template(path = "cash.html")]
pub struct CashPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// For the signing module.
    pub signing: Signing,
    /// The customer's account number.
    pub account: Field,
    /// How much.
    pub amount: Field,
    /// A note that both sides see.
    pub reference: Field,
    /// The currencies offered.
    pub currencies: Vec<String>,
    /// The one chosen.
    pub currency: String,
    /// The command that does the same.
    pub command: &'static str,
    /// The title of the review.
    pub review_title: &'static str,
    /// Its button.
    pub review_button: &'static str,
}

/// A labelled fact.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What it is.
    pub label: &'static str,
    /// What it says.
    pub text: String,
    /// An id or the like.
    pub is_code: bool,
}

/// One of the five checks of a posting.
#[derive(Clone, Debug)]
pub struct Check {
    /// What is checked.
    pub title: &'static str,
    /// What that means, or what is wrong.
    pub text: String,
    /// It holds.
    pub is_valid: bool,
}

/// `/transfers/{id}`.
#[derive(Template)]
#[template(path = "transfer.html")]
pub struct TransferPage {
    /// Around the page.
    pub frame: Frame,
    /// The posting's id.
    pub id: String,
    /// The title.
    pub heading: &'static str,
    /// Its status.
    pub state: &'static str,
    /// How the status is coloured.
    pub tone: &'static str,
    /// A sentence below the amount.
    pub explanation: String,
    /// How much.
    pub amount: Sum,
    /// What there is to know.
    pub facts: Vec<Fact>,
    /// The five checks.
    pub checks: Vec<Check>,
    /// Why there are none.
    pub no_checks: &'static str,
    /// A receipt can be had.
    pub has_receipt: bool,
    /// The reader's own account, to go back to.
    pub account: String,
    /// The bank's log key.
    pub log_key: String,
}

/// A device as its owner sees it.
#[derive(Clone, Debug)]
pub struct DeviceView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its public key's `x`, by which a browser knows its own.
    pub key: String,
    /// "Ed25519" or "P-256".
    pub algorithm: &'static str,
    /// When it was registered.
    pub since: Moment,
    /// It may sign.
    pub is_active: bool,
}

/// `/devices`.
#[derive(Template)]
#[template(path = "devices.html")]
pub struct DevicesPage {
    /// Around the page.
    pub frame: Frame,
    /// What went wrong.
    pub trouble: Trouble,
    /// The devices.
    pub devices: Vec<DeviceView>,
    /// A name for this one.
    pub name: Field,
    /// Whose keys.
    pub user: String,
}

/// Something did not work.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// Around the page.
    pub frame: Frame,
    /// In a few words.
    pub heading: String,
    /// Why, and what to do.
    pub text: String,
    /// Where to go on.
    pub href: &'static str,
    /// What that link says.
    pub label: &'static str,
    /// For a question about it.
    pub request_id: String,
}

/// One call of the API.
#[derive(Debug)]
pub struct Call {
    /// `GET`, `POST` …
    pub method: &'static str,
    /// Its path.
    pub path: &'static str,
    /// What it is for.
    pub summary: &'static str,
    /// Whether anyone may call it.
    pub is_public: bool,
    /// The purpose for which its body is signed.
    pub signed: Option<&'static str>,
    /// What it answers.
    pub statuses: String,
}

/// Calls that belong together.
#[derive(Debug)]
pub struct CallGroup {
    /// What they are about.
    pub name: &'static str,
    /// The calls.
    pub calls: Vec<Call>,
}

/// The description of the API.
#[derive(Debug, Template)]
#[template(path = "docs.html")]
pub struct DocsPage {
    /// What stands around it.
    pub frame: Frame,
    /// All calls.
    pub groups: Vec<CallGroup>,
}
