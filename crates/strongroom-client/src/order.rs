//! Signing orders: a detached JWS over the exact bytes of the body.

use strongroom_crypto::jws;
use strongroom_crypto::sign::SigningKey;

/// What a signature is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A transfer.
    Order,
    /// Cash at the counter.
    Cash,
    /// Many transfers at once.
    Bulk,
    /// The approval of what someone else has asked for.
    Approval,
}

/// A registered device that signs for one bank.
pub struct Signer {
    key: SigningKey,
    device: String,
    origin: String,
}

const LIFE_S: i64 = 300;

impl Signer {
    /// The device with this id and key, at the bank with this log origin.
    pub fn new(key: SigningKey, device: impl Into<String>, origin: impl Into<String>) -> Self {
        Signer { key, device: device.into(), origin: origin.into() }
    }

    /// The value of `x-jws-signature` for a body, good for five minutes from now.
    pub fn sign(&self, purpose: Purpose, body: &[u8], now_s: i64) -> String {
        let typ = match purpose {
            Purpose::Order => "order",
            Purpose::Cash => "cash",
            Purpose::Bulk => "bulk",
            Purpose::Approval => "approval",
        };
        jws::sign_detached(&self.key, &self.device, typ, &self.origin, now_s + LIFE_S, body)
    }

    /// The device's id.
    pub fn device(&self) -> &str {
        &self.device
    }
}
