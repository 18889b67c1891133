//! What staff ask and are answered: people, roles, service accounts, approvals, the audit log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

bodies! {
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
        /// What a second person has to approve before it is good.
        approval: String,
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
        /// What a second person has to approve before it is good.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<String>,
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
}
