//! Passkeys (W3C Web Authentication, level 3): a key pair of a device or security key that signs for one
//! site. It is made so that the device can find it by itself, and works only after the device has
//! looked at who holds it (user verification), so it is two factors in one.
//!
//! What the bank has to keep between two steps, and for good, are texts of JSON.

use serde_json::{Value, json};
use url::Url;
use webauthn_rs::prelude::{
    DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Uuid,
    Webauthn, WebauthnBuilder,
};

/// The site that passkeys are made for.
pub struct Site {
    webauthn: Webauthn,
}

/// What a browser is asked, and what has to be kept until it answers.
pub struct Asked {
    /// For `navigator.credentials.create` or `.get`, with binary members in base64url.
    pub options: Value,
    /// To be kept, unseen by anyone else.
    pub state: String,
}

/// A passkey that has just signed.
pub struct Used {
    /// The passkey, as it is to be kept from now on.
    pub passkey: String,
}

/// Something is not as the standard says, or not ours: the words are for the operator's log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the passkey was not accepted: {0}")]
pub struct NotAccepted(String);

impl Site {
    /// The site at a host; browsers reach it by HTTPS, at any port.
    pub fn new(host: &str, bank: &str) -> Result<Self, NotAccepted> {
        let origin = Url::parse(&format!("https://{host}")).map_err(refused)?;
        let builder = WebauthnBuilder::new(host, &origin).map_err(refused)?;
        let webauthn = builder.allow_any_port(true).rp_name(bank).build().map_err(refused)?;
        Ok(Site { webauthn })
    }

    /// Begins a passkey for a person. `held` are those they have: a device makes no second one.
    pub fn begin(&self, person: [u8; 16], username: &str, held: &[String]) -> Result<Asked, NotAccepted> {
        let held: Vec<Passkey> = held.iter().map(|text| read(text)).collect::<Result<_, _>>()?;
        let held = held.iter().map(|passkey| passkey.cred_id().clone()).collect();
        let begun = self.webauthn.start_passkey_registration(Uuid::from_bytes(person), username, username, Some(held));
        let (options, state) = begun.map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(refused)?;
        // So that nobody has to type their name to sign in with it.
        options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
        options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
        Ok(Asked { options, state: text(&state)? })
    }

    /// The passkey that a device has made, to be kept.
    pub fn finish(&self, state: &str, answer: &Value) -> Result<String, NotAccepted> {
        let state: PasskeyRegistration = read(state)?;
        let answer: RegisterPublicKeyCredential = serde_json::from_value(answer.clone()).map_err(refused)?;
        text(&self.webauthn.finish_passkey_registration(&answer, &state).map_err(refused)?)
    }

    /// Asks for any passkey of this site.
    pub fn ask(&self) -> Result<Asked, NotAccepted> {
        let (options, state) = self.webauthn.start_discoverable_authentication().map_err(refused)?;
        let mut options = serde_json::to_value(options).map_err(refused)?;
        if let Some(options) = options.as_object_mut() {
            options.remove("mediation");
        }
        Ok(Asked { options, state: text(&state)? })
    }

    /// Whose passkey an answer claims to be from. Nothing is proven yet.
    pub fn claimed(&self, answer: &Value) -> Option<[u8; 16]> {
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone()).ok()?;
        let (person, _) = self.webauthn.identify_discoverable_authentication(&answer).ok()?;
        Some(person.into_bytes())
    }

    /// Checks an answer against one of the person's passkeys: signature, site, challenge, that the
    /// device has verified who holds it, and that its count went up.
    pub fn check(&self, state: &str, answer: &Value, passkey: &str) -> Result<Used, NotAccepted> {
        let state: DiscoverableAuthentication = read(state)?;
        let answer: PublicKeyCredential = serde_json::from_value(answer.clone()).map_err(refused)?;
        let mut passkey: Passkey = read(passkey)?;
        let result = self.webauthn.finish_discoverable_authentication_v2(&answer, state, &passkey).map_err(refused)?;
        passkey.update_credential(&result);
        Ok(Used { passkey: text(&passkey)? })
    }
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, NotAccepted> {
    serde_json::from_str(text).map_err(refused)
}

fn text(value: &impl serde::Serialize) -> Result<String, NotAccepted> {
    serde_json::to_string(value).map_err(refused)
}

fn refused(error: impl std::fmt::Display) -> NotAccepted {
    NotAccepted(error.to_string())
}
