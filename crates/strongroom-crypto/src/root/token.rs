//! A hardware token (PKCS #11) that wraps the root key. Its own key never leaves it and never sees a
//! field; what it wrapped is a file:
//!
//! ```text
//! strongroom-wrapped-root-v1 <base64url of 12 bytes of nonce> <base64url of ciphertext and tag>
//! ```
//! The token computes AES-256-GCM over the 32 bytes of the root key, with `strongroom root key` as
//! authenticated data. A token is named as RFC 7512 has it:
//! `pkcs11:token=LABEL;object=LABEL?module-path=FILE&pin-source=file:FILE&x-wrapped-file=FILE`. Without
//! `pin-source` the PIN is in `STRONGROOM_PKCS11_PIN`; without `x-wrapped-file` it is
//! `strongroom/TOKEN-OBJECT.wrapped` in the user's configuration directory.
//!
//! All calls of a token are made on one thread of their own, which ends with them.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error as TokenError;
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use zeroize::Zeroizing;

use super::{Place, RootError, private_text, write_private_new};
use crate::secret::Secret;
use crate::{base64url, random};

const PREFIX: &str = "strongroom-wrapped-root-v1 ";
const AUTHENTICATED: &[u8] = b"strongroom root key";

/// A token and a key in it.
#[derive(Clone, Debug)]
pub struct Token {
    token: String,
    object: String,
    module: PathBuf,
    pin_file: Option<PathBuf>,
    wrapped: PathBuf,
}

/// Modules are initialised once in a process; two callers take turns.
static TURN: Mutex<()> = Mutex::new(());

impl Token {
    /// Reads what follows `pkcs11:`.
    pub fn parse(uri: &str) -> Result<Self, RootError> {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let of = |part: &str, separator: char, name: &str| {
            let values = part.split(separator).filter_map(|pair| pair.split_once('='));
            values.filter(|(key, _)| *key == name).map(|(_, value)| decoded(value)).next_back()
        };
        let needed = |value: Option<String>, name: &str| {
            value.filter(|value| !value.is_empty()).ok_or_else(|| {
                RootError::Token(format!(
                    "the name has no {name}; write it as pkcs11:token=LABEL;object=LABEL?module-path=FILE"
                ))
            })
        };
        let (token, object) = (needed(of(path, ';', "token"), "token")?, needed(of(path, ';', "object"), "object")?);
        let module = needed(of(query, '&', "module-path"), "module-path")?.into();
        let pin_file =
            of(query, '&', "pin-source").map(|source| PathBuf::from(source.strip_prefix("file:").unwrap_or(&source)));
        let wrapped = of(query, '&', "x-wrapped-file").map_or_else(|| default_file(&token, &object), PathBuf::from);
        Ok(Token { token, object, module, pin_file, wrapped })
    }

    fn pin(&self) -> Result<AuthPin, RootError> {
        let text = match &self.pin_file {
            Some(file) => private_text(file)?,
            None => Zeroizing::new(std::env::var("STRONGROOM_PKCS11_PIN").map_err(|_| {
                RootError::Token("its PIN is not given: name a file in pin-source, or set STRONGROOM_PKCS11_PIN".into())
            })?),
        };
        Ok(AuthPin::new(text.lines().next().unwrap_or_default().to_owned().into()))
    }

    /// Does something in a session of the token, on a thread of its own.
    fn within<T: Send>(&self, work: impl FnOnce(&Session) -> Result<T, RootError> + Send) -> Result<T, RootError> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let pin = self.pin()?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let module = Pkcs11::new(&self.module).map_err(|e| {
                    self.failed(&format!(
                        "its module {} cannot be loaded ({e}); check module-path",
                        self.module.display()
                    ))
                })?;
                let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
                module.initialize(arguments).map_err(|e| self.failed(&format!("its module does not start: {e}")))?;
                let done = self.session(&module, &pin).and_then(|session| work(&session));
                let _ = module.finalize();
                done
            });
            thread.join().unwrap_or_else(|_| Err(self.failed("its module broke off")))
        })
    }

    fn session(&self, module: &Pkcs11, pin: &AuthPin) -> Result<Session, RootError> {
        let slots = module.get_slots_with_token().map_err(|e| self.failed(&e.to_string()))?;
        let is_it = |slot: &&cryptoki::slot::Slot| {
            module.get_token_info(**slot).is_ok_and(|info| info.label().trim_end() == self.token)
        };
        let slot = slots.iter().find(is_it).copied();
        let slot = slot.ok_or_else(|| self.failed("there is no such token: put it in, or check its label"))?;
        let session = module.open_rw_session(slot).map_err(|e| self.failed(&e.to_string()))?;
        match session.login(UserType::User, Some(pin)) {
            Ok(()) => Ok(session),
            Err(error) => Err(self.failed(&format!("the PIN was not accepted ({error}){}", left(module, slot)))),
        }
    }

    fn key(&self, session: &Session) -> Result<Option<ObjectHandle>, RootError> {
        let template = [Attribute::Class(ObjectClass::SECRET_KEY), Attribute::Label(self.object.clone().into_bytes())];
        let found = session.find_objects(&template).map_err(|e| self.failed(&e.to_string()))?;
        Ok(found.first().copied())
    }

    fn wrap(&self, session: &Session, root: &Secret) -> Result<String, RootError> {
        let failed = |e: TokenError| self.failed(&format!("it does not wrap: {e}"));
        let key = match self.key(session)? {
            Some(key) => key,
            None => {
                let template = [
                    Attribute::Token(true),
                    Attribute::Private(true),
                    Attribute::Sensitive(true),
                    Attribute::Extractable(false),
                    Attribute::Encrypt(true),
                    Attribute::Decrypt(true),
                    Attribute::Label(self.object.clone().into_bytes()),
                    Attribute::ValueLen(32.into()),
                ];
                session.generate_key(&Mechanism::AesKeyGen, &template).map_err(failed)?
            }
        };
        let nonce: [u8; 12] = random::bytes();
        let mut given = nonce;
        let parameters = GcmParams::new(&mut given, AUTHENTICATED, 128.into()).map_err(failed)?;
        let wrapped = session.encrypt(&Mechanism::AesGcm(parameters), key, root.expose()).map_err(failed)?;
        Ok(format!("{PREFIX}{} {}\n", base64url::encode(&nonce), base64url::encode(&wrapped)))
    }

    fn unwrap(&self, session: &Session, text: &str) -> Result<Secret, RootError> {
        let malformed = || RootError::Malformed(self.wrapped.display().to_string());
        let (nonce, wrapped) =
            text.trim_end().strip_prefix(PREFIX).and_then(|rest| rest.split_once(' ')).ok_or_else(malformed)?;
        let mut nonce: [u8; 12] =
            base64url::decode(nonce).and_then(|nonce| nonce.try_into().ok()).ok_or_else(malformed)?;
        let wrapped = base64url::decode(wrapped).ok_or_else(malformed)?;
        let key = self
            .key(session)?
            .ok_or_else(|| self.failed("it has no key of that label; check object, or put in the right token"))?;
        let failed = |e: TokenError| {
            self.failed(&format!(
                "it does not unwrap {} ({e}): the file was changed, or is another token's",
                self.wrapped.display()
            ))
        };
        let parameters = GcmParams::new(&mut nonce, AUTHENTICATED, 128.into()).map_err(failed)?;
        let root = Zeroizing::new(session.decrypt(&Mechanism::AesGcm(parameters), key, &wrapped).map_err(failed)?);
        let bytes: [u8; 32] = root.as_slice().try_into().map_err(|_| malformed())?;
        Ok(Secret::from_bytes(bytes))
    }

    fn failed(&self, why: &str) -> RootError {
        RootError::Token(format!("{} ({}): {why}", self.token, self.object))
    }
}

impl Place for Token {
    fn create(&self) -> Result<(), RootError> {
        self.store(&Secret::random(), None)
    }

    fn store(&self, root: &Secret, passphrase: Option<&str>) -> Result<(), RootError> {
        if passphrase.is_some() {
            return Err(RootError::NoPassphrase(format!("the hardware token {}", self.token)));
        }
        if self.wrapped.exists() && self.holds(root, None).unwrap_or(false) {
            return Ok(());
        }
        let line = self.within(|session| self.wrap(session, root))?;
        write_private_new(&self.wrapped, &line)
    }

    fn load(&self) -> Result<Secret, RootError> {
        let text = private_text(&self.wrapped)?;
        self.within(|session| self.unwrap(session, &text))
    }
}

/// What the token says about the tries that are left.
fn left(module: &Pkcs11, slot: cryptoki::slot::Slot) -> &'static str {
    let Ok(info) = module.get_token_info(slot) else { return "" };
    if info.user_pin_locked() {
        return "; the token is locked now: its security officer must unlock it";
    }
    match (info.user_pin_final_try(), info.user_pin_count_low()) {
        (true, _) => "; one try is left before the token locks itself",
        (_, true) => "; few tries are left before the token locks itself",
        _ => "; check it before you try again",
    }
}

/// Percent-decoded, as RFC 7512 writes what is not plain.
fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn default_file(token: &str, object: &str) -> PathBuf {
    let base = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let base =
        base.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config"))).unwrap_or_default();
    base.join("strongroom").join(format!("{}.wrapped", format!("{token}-{object}").replace(['/', ' '], "_")))
}
