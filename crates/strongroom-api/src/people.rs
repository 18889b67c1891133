//! People of their own accord: joining, signing in, their data, factors and devices.

use serde::{Deserialize, Serialize};
use serde_json::Value;

bodies! {
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// What `navigator.credentials.get` gave, binary members in base64url.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        assertion: Option<Value>,
    }

    /// `POST /v1/sessions/step-up/send`
    StepUpCode {
        /// `email`, `sms` or `passkey`.
        factor: String,
    }

    /// What a browser is to ask a passkey of someone signed in.
    StepUpRequest {
        /// For `navigator.credentials.get`, binary members in base64url.
        options: Value,
    }

    /// `POST /v1/recoveries/send`
    SendProof {
        /// From `POST /v1/recoveries`.
        recovery: String,
        /// `sms`.
        proof: String,
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

    /// A factor that was confirmed.
    ConfirmedFactor {
        /// `fct_…`
        id: String,
        /// `confirmed`
        status: String,
    }
}
