//! The JSON types of the API, shared by server and client.
//!
//! Requests refuse unknown members. Ids and amounts are text; times are RFC 3339 UTC.
//! **Absence:** no other crate knows the shape of a request or an answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
            #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
            #[serde(deny_unknown_fields)]
            pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
        )*
    };
}

bodies! {
    /// An amount of money: a decimal text with at most the currency's digits.
    Amount {
        /// Like `12.50`; never a number.
        amount: String,
        /// ISO 4217 code.
        currency: String,
    }

    /// `POST /v1/users`
    NewUser {
        /// Unique.
        username: String,
        /// At least 8 characters.
        password: String,
        /// Full name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
        /// E-mail address; this or a phone number is needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Phone number with its country code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
        /// National id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        national_id: Option<String>,
        /// `YYYY-MM-DD`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date_of_birth: Option<String>,
        /// Postal address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    }

    /// A person as staff see them: identifiers by their last four characters.
    PersonView {
        /// `usr_…`
        id: String,
        /// `active`, `locked` or `closed`.
        status: String,
        /// Role names.
        roles: Vec<String>,
        /// When they joined.
        created_at: String,
        /// Masked.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        username: String,
        /// Their name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
        /// Masked, unless revealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Masked, unless revealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
        /// Masked, unless revealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        national_id: Option<String>,
        /// Masked, unless revealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date_of_birth: Option<String>,
        /// Masked, unless revealed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    }

    /// `POST /v1/users/{id}/reveal`
    Reveal {
        /// Names of masked fields.
        fields: Vec<String>,
        /// Why; it is kept.
        reason: String,
    }

    /// `PUT /v1/users/{id}/roles`
    NewRoles {
        /// Role names, in the place of those they have.
        roles: Vec<String>,
    }

    /// `PUT /v1/roles/{name}`
    RoleDefinition {
        /// Whether it is of the bank's own staff.
        staff: bool,
        /// Names of permissions.
        permissions: Vec<String>,
    }

    /// A role.
    RoleItem {
        /// Its name.
        name: String,
        /// Whether it is of the bank's own staff.
        staff: bool,
        /// Names of permissions.
        permissions: Vec<String>,
    }

    /// `POST /v1/services`
    NewService {
        /// Its user name, unique.
        name: String,
        /// Role names.
        roles: Vec<String>,
    }

    /// `POST /v1/services/{id}/keys`
    NewServiceKey {
        /// For how long it holds.
        days: i64,
    }

    /// A key of a service account, shown once.
    ServiceKey {
        /// `sess_…`
        id: String,
        /// Given as a bearer token.
        api_key: String,
        /// When it ends.
        expires_at: String,
    }

    /// A key of a service account that holds.
    ServiceKeyItem {
        /// `sess_…`
        id: String,
        /// When it was made.
        created_at: String,
        /// When it ends.
        expires_at: String,
    }

    /// `POST /v1/keys/destroy`
    KeyDestruction {
        /// The key's purpose.
        purpose: String,
        /// Whose, for a person's key.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        /// Which version.
        version: i64,
    }

    /// Something that waits for a second person, or was decided.
    Approval {
        /// `apr_…`
        id: String,
        /// `pending`, `approved`, `refused`, `failed` or `expired`.
        status: String,
        /// What exactly is asked for.
        request: Value,
        /// SHA-256 of the request as the bank keeps it; an approval signs it.
        digest: String,
        /// Who asked.
        requested_by: String,
        /// When.
        created_at: String,
        /// Until when it can be decided.
        expires_at: String,
        /// Who decided.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided_by: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decided_at: Option<String>,
    }

    /// `POST /v1/approvals/{id}/approve`; signed.
    ApprovalOrder {
        /// `apr_…`
        approval: String,
        /// As the request has it.
        digest: String,
    }

    /// `POST /v1/me/password`
    PasswordChange {
        /// The present one.
        current_password: String,
        /// The next one; at least 8 characters.
        new_password: String,
    }

    /// `POST /v1/recoveries`
    NewRecovery {
        /// Whose access is to be recovered; known or not, the answer is the same.
        username: String,
    }

    /// A recovery that was begun.
    Recovery {
        /// To be given back with each proof.
        recovery: String,
    }

    /// `POST /v1/recoveries/prove`
    RecoveryProof {
        /// What began it.
        recovery: String,
        /// `password`, `email` or `factor`.
        proof: String,
        /// The password, or the code.
        value: String,
    }

    /// Where a recovery stands.
    RecoveryProgress {
        /// What was proven.
        proven: Vec<String>,
        /// From when on it can be finished, once two kinds are proven.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ready_at: Option<String>,
    }

    /// `POST /v1/recoveries/finish`
    RecoveryEnd {
        /// What began it.
        recovery: String,
        /// The next password, where the present one was not proven.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_password: Option<String>,
    }

    /// What a finished recovery leaves to do.
    Recovered {
        /// `enrolment_required` or `recovered`.
        status: String,
        /// With which a new factor is enrolled, where none was proven.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        enrolment_token: Option<String>,
    }

    /// `POST /v1/enrolments`
    Enrolment {
        /// The code of the invitation.
        code: String,
        /// Unique.
        username: String,
        /// At least 8 characters.
        password: String,
        /// Full name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
        /// E-mail address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Phone number.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
        /// National id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        national_id: Option<String>,
        /// `YYYY-MM-DD`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        date_of_birth: Option<String>,
        /// Postal address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    }

    /// The answer to both.
    CreatedUser {
        /// `usr_…`
        id: String,
        /// As given.
        username: String,
        /// `active`
        status: String,
    }

    /// `GET /v1/me`
    Me {
        /// `usr_…`
        id: String,
        /// Username.
        username: String,
        /// `active`, `locked` or `closed`.
        status: String,
        /// Role names.
        roles: Vec<String>,
        /// When they signed up.
        created_at: String,
        /// Full name.
        full_name: Option<String>,
        /// E-mail address.
        email: Option<String>,
        /// Phone number.
        phone: Option<String>,
        /// National id.
        national_id: Option<String>,
        /// Date of birth.
        date_of_birth: Option<String>,
        /// Postal address.
        address: Option<String>,
    }

    /// `POST /v1/sessions`
    NewSession {
        /// Username.
        username: String,
        /// Password.
        password: String,
    }

    /// `POST /v1/sessions/verify`
    VerifyFactor {
        /// From the first step.
        challenge: String,
        /// `totp`, `email`, `sms`, `recovery` or `passkey`.
        factor: String,
        /// The code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What `navigator.credentials.get` gave, binary members in base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assertion: Option<Value>,
    }

    /// `POST /v1/users/invitations`
    NewInvitation {
        /// The role of who accepts it.
        role: String,
    }

    /// An invitation, shown once.
    Invitation {
        /// To be given to whom it is for.
        code: String,
        /// The role it gives.
        role: String,
        /// When it ends.
        expires_at: String,
    }

    /// An item of `GET /v1/users`.
    PersonItem {
        /// `usr_…`
        id: String,
        /// `active`, `locked`, `closed` or `erased`.
        status: String,
        /// Role names.
        roles: Vec<String>,
        /// When they joined.
        created_at: String,
    }

    /// `PATCH /v1/me`: what is left out stays as it is.
    ProfileChange {
        /// Full name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full_name: Option<String>,
        /// E-mail address; needs a fresh factor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        email: Option<String>,
        /// Phone number; needs a fresh factor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        phone: Option<String>,
        /// Postal address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    }

    /// `POST /v1/me/email/confirm`
    SentCode {
        /// The code of the mail.
        code: String,
    }

    /// `POST /v1/sessions/send`
    SendCode {
        /// From the first step.
        challenge: String,
        /// `email`, `sms` or `passkey`.
        factor: String,
    }

    /// What a browser is to ask a passkey.
    PasskeyRequest {
        /// To be given back with the assertion.
        challenge: String,
        /// For `navigator.credentials.get`, binary members in base64url.
        options: Value,
    }

    /// `POST /v1/me/factors/passkey`
    NewPasskey {
        /// The factor's id.
        id: String,
        /// For `navigator.credentials.create`, binary members in base64url.
        options: Value,
    }

    /// `POST /v1/sessions/step-up`
    StepUp {
        /// `totp`, `email`, `sms`, `recovery` or `passkey`.
        factor: String,
        /// The code.
        code: String,
    }

    /// An item of `GET /v1/me/factors`.
    FactorItem {
        /// `fct_…`
        id: String,
        /// `totp`, `email`, `sms`, `recovery` or `passkey`.
        kind: String,
        /// What its owner calls it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// When it was made.
        created_at: String,
        /// When it was last used.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last_used_at: Option<String>,
        /// How many recovery codes are left.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        codes_left: Option<u64>,
    }

    /// `PATCH /v1/me/factors/{id}`
    NameFactor {
        /// 1 to 64 characters.
        name: String,
    }

    /// `POST /v1/me/factors/recovery`
    RecoveryCodes {
        /// The factor's id.
        id: String,
        /// Each is good once; they are shown now and never again.
        codes: Vec<String>,
    }

    /// `POST /v1/sessions/refresh`
    Refresh {
        /// The newest one.
        refresh_token: String,
    }

    /// A session, to a client that has just signed in or refreshed.
    Session {
        /// `authenticated`
        status: String,
        /// A JWT for `Authorization: Bearer`.
        access_token: String,
        /// `Bearer`
        token_type: String,
        /// Seconds that it lasts.
        expires_in_s: i64,
        /// Good for one refresh.
        refresh_token: String,
        /// `sess_…`
        session_id: String,
    }

    /// A session in a list.
    SessionItem {
        /// `sess_…`
        id: String,
        /// When it began.
        created_at: String,
        /// When it was last seen.
        last_used_at: String,
        /// When it ends at the latest.
        expires_at: String,
        /// Whether it is the one that asks.
        current: bool,
    }

    /// A new TOTP factor; the secret is shown once.
    NewTotp {
        /// `fct_…`
        id: String,
        /// Base32.
        secret: String,
        /// For a QR code.
        otpauth_uri: String,
    }

    /// `POST /v1/me/factors/{id}/confirm`
    ConfirmFactor {
        /// The newest code of an authenticator.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What `navigator.credentials.create` gave, binary members in base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credential: Option<Value>,
    }

    /// `POST /v1/me/devices`
    NewDevice {
        /// What its owner calls it.
        name: String,
        /// A JWK: OKP with Ed25519, or EC with P-256.
        public_key: Value,
    }

    /// The answer to it.
    CreatedDevice {
        /// `dev_…`
        id: String,
        /// As given.
        name: String,
    }

    /// A device in a list.
    DeviceItem {
        /// `dev_…`
        id: String,
        /// What its owner calls it.
        name: String,
        /// Its key.
        public_key: Value,
        /// When it was registered.
        created_at: String,
        /// When it was revoked.
        revoked_at: Option<String>,
        /// The log leaf of its registration.
        log_index: u64,
    }

    /// `POST /v1/accounts`
    NewAccount {
        /// ISO 4217 code.
        currency: String,
        /// What its owner calls it.
        name: String,
    }

    /// An account.
    Account {
        /// `acct_…`
        id: String,
        /// What its owner calls it.
        name: String,
        /// With check digits.
        number: String,
        /// `clabe` or `iban`.
        number_scheme: String,
        /// ISO 4217 code.
        currency: String,
        /// `open`, `frozen` or `closed`.
        status: String,
        /// What it holds.
        balance: Amount,
        /// What may be spent.
        available: Amount,
        /// When it was opened.
        created_at: String,
    }

    /// One line of an account.
    Entry {
        /// Unique within the account.
        id: String,
        /// `xfer_…`
        transfer: String,
        /// The caller's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// Debits negative.
        amount: Amount,
        /// After this line.
        balance_after: Amount,
        /// When it was posted.
        time: String,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    /// `POST /v1/transfers`; signed.
    TransferOrder {
        /// 1 to 64 of `A-Z a-z 0-9 _ -`, unique per person.
        order_id: String,
        /// Account id or number.
        from: String,
        /// Account id or number.
        to: String,
        /// How much.
        amount: Amount,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    /// `POST /v1/cash/deposits`; signed by the teller's device.
    CashOrder {
        /// As for a transfer.
        order_id: String,
        /// Account id or number.
        account: String,
        /// How much.
        amount: Amount,
        /// For the customer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    }

    /// A posting.
    Transfer {
        /// `xfer_…`
        id: String,
        /// The caller's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_id: Option<String>,
        /// `posted`
        status: String,
        /// Its place in the log.
        sequence: u64,
        /// `transfer`, `deposit` …
        kind: String,
        /// Account id.
        from: String,
        /// Account id.
        to: String,
        /// How much.
        amount: Amount,
        /// When it was posted.
        time: String,
        /// Private to the two parties.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    }

    /// The five checks of a posting.
    Checks {
        /// The row carries the bank's MAC.
        mac: bool,
        /// The order's signature holds.
        signature: bool,
        /// The posting is in the log.
        inclusion: bool,
        /// Its block links to the one before.
        chain: bool,
        /// Both balances follow.
        balances: bool,
    }

    /// `GET /v1/transfers/{id}/verification`
    Verification {
        /// All five hold.
        is_valid: bool,
        /// Each by itself.
        checks: Checks,
        /// Why those that fail do.
        failures: Vec<String>,
    }

    /// A block of the log.
    Block {
        /// Counts from 0.
        height: u64,
        /// The log's size after it.
        size: u64,
        /// When it was decided.
        time: String,
        /// The previous block's hash, in hexadecimal.
        previous: String,
        /// Its own.
        hash: String,
        /// The signed checkpoint.
        checkpoint: String,
    }

    /// A key that checks access tokens (RFC 7517, RFC 8037).
    TokenKey {
        /// `OKP`
        kty: String,
        /// `Ed25519`
        crv: String,
        /// The key, in base64url.
        x: String,
        /// Its name in tokens.
        kid: String,
        /// `sig`
        #[serde(rename = "use")]
        usage: String,
        /// `EdDSA`
        alg: String,
    }

    /// `GET /.well-known/jwks.json`
    TokenKeys {
        /// The one that signs, and the one before it for as long as its tokens may be out.
        keys: Vec<TokenKey>,
    }

    /// `GET /readyz`
    Readiness {
        /// `ready` or `read_only`.
        status: String,
        /// Why the bank only reads.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
    }

    /// A factor that was confirmed.
    ConfirmedFactor {
        /// `fct_…`
        id: String,
        /// `confirmed`
        status: String,
    }

    /// An entry of the audit log.
    AuditEntry {
        /// Its place.
        position: i64,
        /// When it happened.
        time: String,
        /// What happened; stable, for programs.
        event: String,
        /// `usr_…`: who did it, or whom it happened to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        person: Option<String>,
        /// To whom or what: 32 hexadecimal digits, as in the ids `usr_…`, `dev_…` and the like.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subject: Option<String>,
        /// `sess_…`
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<String>,
        /// Where it came from, and a word about it, for its owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Value>,
        /// What detail was written, as a hash.
        detail_hash: String,
        /// The hash that chains it.
        hash: String,
    }

    /// `GET /.well-known/strongroom`
    WellKnown {
        /// The bank's name.
        bank: String,
        /// The log's name: the audience of signed orders.
        origin: String,
        /// ISO 4217 codes.
        currencies: Vec<String>,
        /// The log's key, as a C2SP verifier key.
        log_key: String,
        /// The certificate authority to pin, in PEM.
        ca: String,
    }

    /// One field of a form that needs attention.
    FieldProblem {
        /// The field.
        field: String,
        /// Stable code.
        code: String,
        /// For the person.
        detail: String,
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct List<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the list goes on.
    pub next_cursor: Option<String>,
}

/// The answer to a right password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum SignInStep {
    /// A factor is asked for.
    FactorRequired {
        /// To be given back with the code.
        challenge: String,
        /// Kinds that will do.
        factors: Vec<String>,
    },
    /// The person has no factor yet.
    EnrolmentRequired {
        /// A bearer token that can only enrol a factor.
        enrolment_token: String,
    },
}

/// An error (RFC 9457).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable, for programs.
    pub code: String,
    /// For people: what happened, and what to do.
    pub detail: String,
    /// The fields of a form that need attention.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
}

impl Problem {
    /// A problem of this status and code.
    pub fn new(status: u16, title: &str, code: &str, detail: &str, errors: Vec<FieldProblem>) -> Self {
        Problem {
            kind: "about:blank".into(),
            title: title.into(),
            status,
            code: code.into(),
            detail: detail.into(),
            errors,
        }
    }
}
