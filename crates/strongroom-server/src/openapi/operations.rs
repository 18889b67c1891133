//! The table of operations: what each call is for, what it takes and gives, and how it may refuse.

use super::{Content, Operation};
use serde_json::json;
use strongroom_api::{
    Account, AccountChange, Approval, ApprovalOrder, AuditEntry, BalanceAt, Block, BulkOrder, BulkResults, CashOrder,
    ConfirmFactor, ConfirmedFactor, CreatedDevice, CreatedUser, DeviceItem, Enrolment, Entry, FactorItem,
    FollowUpOrder, Invitation, KeyDestruction, List, Me, NameFactor, NewAccount, NewDevice, NewInvitation, NewPasskey,
    NewRecovery, NewRoles, NewService, NewServiceKey, NewSession, NewTotp, NewUser, PasskeyRequest, PasswordChange,
    PersonItem, PersonView, ProfileChange, Readiness, Recovered, Recovery, RecoveryCodes, RecoveryEnd,
    RecoveryProgress, RecoveryProof, Refresh, Reveal, RoleDefinition, RoleItem, SendCode, SendProof, SentCode,
    ServiceKey, ServiceKeyItem, Session, SessionItem, SignInStep, StepUp, StepUpCode, StepUpRequest, TokenKeys,
    Transfer, TransferOrder, TrialBalanceItem, Verification, VerifyFactor, WellKnown,
};

/// All of them.
pub fn all() -> Vec<Operation> {
    [bank(), signing_in(), oneself(), money(), log(), administration(), approvals()].into_iter().flatten().collect()
}

/// What the bank says of itself.
fn bank() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/healthz", "Whether the process answers").for_anyone().gives_nothing(204),
        Operation::new("POST", "/healthz", "The same, for load balancers that post").for_anyone().gives_nothing(204),
        Operation::new("GET", "/readyz", "Whether the bank takes orders")
            .for_anyone()
            .gives::<Readiness>(200)
            .gives::<Readiness>(503),
        Operation::new("GET", "/.well-known/strongroom", "What a client must know before it trusts the bank")
            .for_anyone()
            .gives::<WellKnown>(200),
        Operation::new("GET", "/.well-known/jwks.json", "The keys that check access tokens")
            .for_anyone()
            .gives::<TokenKeys>(200),
        Operation::new("GET", "/openapi.json", "This description").for_anyone().gives::<serde_json::Value>(200),
    ]
}

/// Joining, signing in, and getting back in.
fn signing_in() -> Vec<Operation> {
    vec![
        Operation::new("POST", "/v1/users", "Sign up")
            .for_anyone()
            .body::<NewUser>()
            .gives::<CreatedUser>(201)
            .refuses(&[409, 429]),
        Operation::new("POST", "/v1/enrolments", "Accept an invitation")
            .for_anyone()
            .body::<Enrolment>()
            .gives::<CreatedUser>(201)
            .refuses(&[403, 409, 429]),
        Operation::new("POST", "/v1/recoveries", "Begin to get back in after a loss")
            .for_anyone()
            .body::<NewRecovery>()
            .gives::<Recovery>(201)
            .refuses(&[429]),
        Operation::new("POST", "/v1/recoveries/prove", "Prove that it is you")
            .for_anyone()
            .body::<RecoveryProof>()
            .gives::<RecoveryProgress>(200)
            .refuses(&[401, 409, 429]),
        Operation::new("POST", "/v1/recoveries/send", "Have a code sent to the telephone, as a proof")
            .for_anyone()
            .body::<SendProof>()
            .gives_nothing(202)
            .refuses(&[401, 429]),
        Operation::new("POST", "/v1/recoveries/finish", "Get back in, after the waiting time")
            .for_anyone()
            .body::<RecoveryEnd>()
            .gives::<Recovered>(200)
            .refuses(&[401, 409]),
        Operation::new("GET", "/v1/sessions", "Where one is signed in").gives::<List<SessionItem>>(200),
        Operation::new("POST", "/v1/sessions", "Sign in: user name and password")
            .for_anyone()
            .body::<NewSession>()
            .gives::<SignInStep>(201)
            .refuses(&[401, 429]),
        Operation::new("POST", "/v1/sessions/verify", "Sign in: the second factor")
            .for_anyone()
            .body::<VerifyFactor>()
            .gives::<Session>(201)
            .refuses(&[401, 429]),
        Operation::new("POST", "/v1/sessions/passkey", "Sign in with a passkey alone")
            .for_anyone()
            .gives::<PasskeyRequest>(201)
            .refuses(&[429]),
        Operation::new("POST", "/v1/sessions/send", "Have a code sent, or be asked for a passkey")
            .for_anyone()
            .body::<SendCode>()
            .gives::<PasskeyRequest>(200)
            .gives_nothing(202)
            .refuses(&[401, 403, 429]),
        Operation::new("POST", "/v1/sessions/step-up", "Give a factor again")
            .body::<StepUp>()
            .gives::<Session>(201)
            .refuses(&[429]),
        Operation::new(
            "POST",
            "/v1/sessions/step-up/send",
            "Have a code sent to give it again, or be asked for a passkey",
        )
        .body::<StepUpCode>()
        .gives::<StepUpRequest>(200)
        .gives_nothing(202)
        .refuses(&[401, 403, 429]),
        Operation::new("POST", "/v1/sessions/refresh", "Change a refresh token for the next one")
            .for_anyone()
            .body::<Refresh>()
            .gives::<Session>(201)
            .refuses(&[401]),
        Operation::new("DELETE", "/v1/sessions/{id}", "End a session").gives_nothing(204),
    ]
}

/// One's own data, factors and devices.
fn oneself() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/v1/me", "One's own data").gives::<Me>(200),
        Operation::new("PATCH", "/v1/me", "Change one's own data; contact data with a fresh factor")
            .body::<ProfileChange>()
            .gives::<Me>(200)
            .refuses(&[409]),
        Operation::new("POST", "/v1/me/password", "Change one's password")
            .body::<PasswordChange>()
            .gives_nothing(204)
            .refuses(&[409, 429]),
        Operation::new("POST", "/v1/me/email/send", "Have a code sent to one's e-mail address")
            .gives_nothing(202)
            .refuses(&[422, 429]),
        Operation::new("POST", "/v1/me/email/confirm", "Prove that one reads one's mail")
            .body::<SentCode>()
            .gives_nothing(204)
            .refuses(&[429]),
        Operation::new("POST", "/v1/me/phone/send", "Have a code sent to one's telephone")
            .gives_nothing(202)
            .refuses(&[422, 429]),
        Operation::new("POST", "/v1/me/phone/confirm", "Prove that a telephone number is one's own")
            .body::<SentCode>()
            .gives_nothing(204)
            .refuses(&[429]),
        Operation::new("POST", "/v1/me/factors/sms", "Make codes by SMS a second factor")
            .gives::<ConfirmedFactor>(201)
            .refuses(&[409]),
        Operation::new("POST", "/v1/me/factors/email", "Make codes by mail a second factor")
            .gives::<ConfirmedFactor>(201)
            .refuses(&[409]),
        Operation::new("POST", "/v1/me/factors/totp", "Begin an authenticator; it counts once confirmed")
            .gives::<NewTotp>(201)
            .refuses(&[409]),
        Operation::new("GET", "/v1/me/factors", "One's second factors").gives::<List<FactorItem>>(200),
        Operation::new("POST", "/v1/me/factors/passkey", "Begin a passkey; it counts once confirmed")
            .gives::<NewPasskey>(201)
            .refuses(&[409]),
        Operation::new("POST", "/v1/me/factors/recovery", "Make new recovery codes").gives::<RecoveryCodes>(201),
        Operation::new("PATCH", "/v1/me/factors/{id}", "Name a factor").body::<NameFactor>().gives_nothing(204),
        Operation::new("DELETE", "/v1/me/factors/{id}", "Remove a factor").gives_nothing(204).refuses(&[409]),
        Operation::new("POST", "/v1/me/factors/{id}/confirm", "Confirm a factor; the first one signs its owner in")
            .body::<ConfirmFactor>()
            .gives::<ConfirmedFactor>(200)
            .gives::<Session>(201)
            .refuses(&[429]),
        Operation::new("GET", "/v1/me/activity", "What one did, and what happened to one")
            .paged()
            .gives::<List<AuditEntry>>(200),
        Operation::new("GET", "/v1/me/devices", "One's devices").gives::<List<DeviceItem>>(200),
        Operation::new("POST", "/v1/me/devices", "Register a device's key")
            .body::<NewDevice>()
            .gives::<CreatedDevice>(201)
            .refuses(&[409]),
        Operation::new("DELETE", "/v1/me/devices/{id}", "Revoke a device").gives_nothing(204),
    ]
}

/// Accounts and what moves between them.
fn money() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/v1/accounts", "One's accounts; another person's, masked, for who reads the books")
            .asks("owner", "`usr_…`", json!({"type": "string"}))
            .paged()
            .gives::<List<Account>>(200),
        Operation::new("POST", "/v1/accounts", "Open an account").body::<NewAccount>().gives::<Account>(201),
        Operation::new("GET", "/v1/accounts/{id}", "An account").gives::<Account>(200).refuses(&[409]),
        Operation::new("PATCH", "/v1/accounts/{id}", "Freeze, free or close it; set its limits")
            .body::<AccountChange>()
            .gives::<Account>(200)
            .refuses(&[409]),
        Operation::new("GET", "/v1/accounts/{id}/balance", "What it held at a moment")
            .asks("at", "A day or a moment that has passed; now, where it is left out.", json!({"type": "string"}))
            .gives::<BalanceAt>(200)
            .refuses(&[409, 422]),
        Operation::new("GET", "/v1/accounts/{id}/statement", "Its lines between two balances, as CSV")
            .asks("from", "From this day or moment on.", json!({"type": "string"}))
            .asks("to", "Before this day or moment.", json!({"type": "string"}))
            .asks("format", "How it is written.", json!({"type": "string", "enum": ["csv"], "default": "csv"}))
            .gives_content(Content::Csv)
            .refuses(&[409, 422]),
        Operation::new("GET", "/v1/accounts/{id}/entries", "Its entries, newest first")
            .asks("from", "From this day or moment on.", json!({"type": "string"}))
            .asks("to", "Before this day or moment.", json!({"type": "string"}))
            .asks("least", "The least that moved, like 12.50.", json!({"type": "string"}))
            .asks("most", "The most that moved.", json!({"type": "string"}))
            .asks("counterparty", "The id of the account on the other side.", json!({"type": "string"}))
            .paged()
            .gives::<List<Entry>>(200)
            .refuses(&[409]),
        Operation::new("POST", "/v1/transfers", "Order a transfer")
            .body::<TransferOrder>()
            .signed("order")
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409]),
        Operation::new("POST", "/v1/transfers/bulk", "Order many transfers under one signature")
            .body::<BulkOrder>()
            .signed("bulk")
            .gives::<BulkResults>(200),
        Operation::new("GET", "/v1/transfers/{id}", "A posting").gives::<Transfer>(200).refuses(&[409]),
        Operation::new("GET", "/v1/transfers/{id}/receipt", "Its receipt, which anyone can verify")
            .gives_content(Content::Text)
            .refuses(&[409]),
        Operation::new("GET", "/v1/transfers/{id}/verification", "Its five checks").gives::<Verification>(200),
        Operation::new("POST", "/v1/transfers/{id}/capture", "Move what was reserved, or a part of it")
            .body::<FollowUpOrder>()
            .signed("order")
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409]),
        Operation::new("POST", "/v1/transfers/{id}/release", "Free what was reserved")
            .body::<FollowUpOrder>()
            .signed("order")
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409]),
        Operation::new("POST", "/v1/transfers/{id}/reverse", "Take a posting back")
            .body::<FollowUpOrder>()
            .signed("order")
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409]),
        Operation::new("POST", "/v1/cash/withdrawals", "Pay cash out, to which the customer agrees")
            .body::<CashOrder>()
            .signed("cash")
            .takes_header("x-customer-code", "A code of the customer's authenticator, or one on paper.")
            .takes_header(
                "x-customer-signature",
                "Or a JWS of their device, with `typ` `cash`, over the value of `x-jws-signature`.",
            )
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409, 429]),
        Operation::new("POST", "/v1/cash/deposits", "Pay cash in")
            .body::<CashOrder>()
            .signed("cash")
            .gives::<Transfer>(200)
            .gives::<Transfer>(201)
            .refuses(&[404, 409]),
    ]
}

/// The public log and its blocks.
fn log() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/v1/ledger/trial-balance", "What all accounts hold, by kind")
            .gives::<List<TrialBalanceItem>>(200),
        Operation::new("GET", "/v1/ledger/blocks", "The blocks of the log").paged().gives::<List<Block>>(200),
        Operation::new("GET", "/v1/ledger/blocks/{height}", "A block").gives::<Block>(200),
        Operation::new("GET", "/log/checkpoint", "The newest signed checkpoint (C2SP tlog-checkpoint)")
            .for_anyone()
            .gives_content(Content::Text),
        Operation::new("GET", "/log/tile/{*path}", "A tile or an entry bundle of the log (C2SP tlog-tiles)")
            .for_anyone()
            .gives_content(Content::Bytes),
        Operation::new("GET", "/log/proof/{index}", "That an entry stands in the log (C2SP tlog-proof)")
            .for_anyone()
            .gives_content(Content::Text),
        Operation::new("GET", "/log/extension/{size}", "That the log extends what it was (C2SP tlog-witness)")
            .for_anyone()
            .gives_content(Content::Text),
        Operation::new("GET", "/log/witnessed", "The checkpoint that most witnesses have cosigned")
            .for_anyone()
            .gives_content(Content::Text)
            .refuses(&[404]),
    ]
}

/// What staff do with people and their power.
fn administration() -> Vec<Operation> {
    vec![
        Operation::new("GET", "/v1/users", "People, as staff see them; or the one of a user name")
            .asks("username", "The whole user name.", json!({"type": "string"}))
            .paged()
            .gives::<List<PersonItem>>(200),
        Operation::new("POST", "/v1/users/invitations", "Invite somebody under a role")
            .body::<NewInvitation>()
            .gives::<Invitation>(201),
        Operation::new("GET", "/v1/users/{id}", "A person, masked").gives::<PersonView>(200).refuses(&[409]),
        Operation::new("POST", "/v1/users/{id}/reveal", "See some masked fields, for a reason that is kept")
            .body::<Reveal>()
            .gives::<PersonView>(200)
            .refuses(&[409]),
        Operation::new("PUT", "/v1/users/{id}/roles", "Ask for somebody's roles; another person approves")
            .body::<NewRoles>()
            .gives::<Approval>(202)
            .refuses(&[409]),
        Operation::new("POST", "/v1/users/{id}/lock", "Lock a person").gives_nothing(204).refuses(&[409]),
        Operation::new("POST", "/v1/users/{id}/unlock", "Let them in again").gives_nothing(204).refuses(&[409]),
        Operation::new("GET", "/v1/roles", "All roles").gives::<List<RoleItem>>(200),
        Operation::new("PUT", "/v1/roles/{name}", "Ask for a role; another person approves")
            .body::<RoleDefinition>()
            .gives::<Approval>(202),
        Operation::new("DELETE", "/v1/roles/{name}", "Ask for a role's end; another person approves")
            .gives::<Approval>(202)
            .refuses(&[409]),
    ]
}

/// What a second person has to approve.
fn approvals() -> Vec<Operation> {
    vec![
        Operation::new("POST", "/v1/services", "Ask for a service account; another person approves")
            .body::<NewService>()
            .gives::<Approval>(202)
            .refuses(&[409]),
        Operation::new("GET", "/v1/services/{id}/keys", "The keys of a service account")
            .gives::<List<ServiceKeyItem>>(200),
        Operation::new("POST", "/v1/services/{id}/keys", "Make a key for a service account")
            .body::<NewServiceKey>()
            .gives::<ServiceKey>(202),
        Operation::new("DELETE", "/v1/services/{id}/keys/{key}", "End a key").gives_nothing(204),
        Operation::new("POST", "/v1/keys/destroy", "Ask for the end of a version of a key; another person approves")
            .body::<KeyDestruction>()
            .gives::<Approval>(202),
        Operation::new("GET", "/v1/approvals", "What waits for approval, or was decided")
            .asks(
                "status",
                "`pending` or `all`.",
                json!({"type": "string", "enum": ["pending", "all"], "default": "all"}),
            )
            .paged()
            .gives::<List<Approval>>(200),
        Operation::new("GET", "/v1/approvals/{id}", "One request").gives::<Approval>(200),
        Operation::new("POST", "/v1/approvals/{id}/approve", "Approve exactly this request, and have it done")
            .body::<ApprovalOrder>()
            .signed("approval")
            .gives::<Approval>(200)
            .refuses(&[409]),
        Operation::new("POST", "/v1/approvals/{id}/refuse", "Refuse a request, or withdraw one's own")
            .gives::<Approval>(200)
            .refuses(&[409]),
        Operation::new("GET", "/v1/audit", "The audit log").paged().gives::<List<AuditEntry>>(200),
    ]
}
