//! The demo bank's people: seeded once, through the same commands as anyone's, and printed at each
//! start. Their secrets are random per home and lie beside it, readable by its owner alone.

use serde::{Deserialize, Serialize};
use strongroom_crypto::jws;
use strongroom_crypto::sign::SigningKey;
use strongroom_crypto::{random, totp};
use strongroom_ledger::id::DeviceId;
use strongroom_ledger::order::CashOrder;

use crate::audit::Source;
use crate::factor::{Answer, Enrolling};
use crate::home::write_private;
use crate::people::SignUp;
use crate::sessions::{Caller, SignedIn};
use crate::sign_in::FirstStep;
use crate::{Bank, Error, Home, Result, clock, hex};

/// A person of the demo.
#[derive(Clone, Serialize, Deserialize)]
pub struct DemoPerson {
    /// Their role.
    pub role: String,
    /// Their user name.
    pub username: String,
    /// Their password.
    pub password: String,
    /// Their TOTP secret in base32.
    pub totp_secret: String,
}

const FILE: &str = "demo.json";

/// (role, username, full name, e-mail, phone, national id, date of birth, address)
const PEOPLE: &[[&str; 8]] = &[
    [
        "customer",
        "amelia.hart",
        "Amelia Hart",
        "amelia.hart@example.com",
        "+525512345001",
        "HAAA900412MDFRML04",
        "1990-04-12",
        "Calle Durango 214, 06700 Ciudad de México",
    ],
    [
        "customer",
        "bruno.leal",
        "Bruno Leal",
        "bruno.leal@example.com",
        "+525512345002",
        "LEBB851103HDFLRN09",
        "1985-11-03",
        "Avenida Juárez 88, 44100 Guadalajara",
    ],
    [
        "teller",
        "tessa.quinn",
        "Tessa Quinn",
        "tessa.quinn@example.com",
        "+525512345003",
        "QUTT880722MDFNSS01",
        "1988-07-22",
        "Calle Madero 5, 06000 Ciudad de México",
    ],
    [
        "manager",
        "marcus.webb",
        "Marcus Webb",
        "marcus.webb@example.com",
        "+525512345004",
        "WEMM790130HDFBRC07",
        "1979-01-30",
        "Paseo de la Reforma 300, 06600 Ciudad de México",
    ],
    [
        "admin",
        "adele.stone",
        "Adele Stone",
        "adele.stone@example.com",
        "+525512345005",
        "STAA820915MDFNDL02",
        "1982-09-15",
        "Calle Orizaba 101, 06700 Ciudad de México",
    ],
    [
        "auditor",
        "oscar.lund",
        "Oscar Lund",
        "oscar.lund@example.com",
        "+525512345006",
        "LUOO750608HDFNSC05",
        "1975-06-08",
        "Calle Colima 220, 06700 Ciudad de México",
    ],
];

/// What each customer's account is funded with, by a deposit of the demo's teller.
const FUNDS: &str = "25000.00";

/// The demo's people: those seeded before, or new ones.
pub async fn people(bank: &Bank, home: &Home) -> Result<Vec<DemoPerson>> {
    let path = home.path(FILE);
    if path.exists() {
        let text = crate::home::read_private(&path)?;
        return serde_json::from_str(&text).map_err(|e| Error::Internal(format!("{}: {e}", path.display())));
    }
    let people = seed(bank).await?;
    let text = serde_json::to_string_pretty(&people).map_err(|e| Error::Internal(e.to_string()))?;
    write_private(&path, text.as_bytes())?;
    Home::at(home.path("outbox")).create()?;
    Ok(people)
}

async fn seed(bank: &Bank) -> Result<Vec<DemoPerson>> {
    let mut people = Vec::new();
    let mut callers = Vec::new();
    for facts in PEOPLE {
        let (person, caller) = enrol(bank, facts).await?;
        people.push(person);
        callers.push(caller);
    }
    let teller = PEOPLE.iter().position(|p| p[0] == "teller").map(|i| &callers[i]);
    let teller = teller.ok_or_else(|| Error::Internal("the demo has no teller".into()))?;
    let key = SigningKey::generate_ed25519();
    let device = bank.add_device(teller, "Counter 1", &key.public()).await?;
    for (facts, caller) in PEOPLE.iter().zip(&callers).filter(|(facts, _)| facts[0] == "customer") {
        let account = bank.open_account(caller, &bank.currency().to_string(), "Everyday").await?;
        deposit(bank, teller, &key, device, &account.id.to_string(), facts[2]).await?;
    }
    Ok(people)
}

async fn enrol(bank: &Bank, facts: &[&str; 8]) -> Result<(DemoPerson, Caller)> {
    let [role, username, full_name, email, phone, national_id, date_of_birth, address] = facts;
    let password = format!("{}-{}-{}", word(), word(), word());
    let form = SignUp {
        username: (*username).into(),
        password: password.clone(),
        full_name: Some((*full_name).into()),
        email: Some((*email).into()),
        phone: Some((*phone).into()),
        national_id: Some((*national_id).into()),
        date_of_birth: Some((*date_of_birth).into()),
        address: Some((*address).into()),
    };
    bank.sign_up_as(form, role).await?;
    let FirstStep::Enrolment { token } = bank.sign_in(username, &password, &Source::default()).await? else {
        return Err(Error::Internal("a demo person has a factor already".into()));
    };
    let enrolling = Enrolling::First(token);
    let factor = bank.begin_totp(&enrolling).await?;
    let secret = totp::from_base32(&factor.secret).map_err(|e| Error::Internal(e.to_string()))?;
    // The code of the step before is good too, and leaves the present one for whoever signs in next.
    let before_s = (clock::now_us() / 1_000_000 - 30) as u64;
    let code = totp::code(&secret, before_s);
    let SignedIn { session, person, .. } = bank
        .confirm_factor(&enrolling, factor.id, Answer::Code(code), false, &Source::default())
        .await?
        .ok_or_else(|| Error::Internal("the first factor opened no session".into()))?;
    let demo = DemoPerson { role: (*role).into(), username: (*username).into(), password, totp_secret: factor.secret };
    Ok((demo, Caller { person: person.0, session: session.0 }))
}

async fn deposit(
    bank: &Bank,
    teller: &Caller,
    key: &SigningKey,
    device: DeviceId,
    account: &str,
    name: &str,
) -> Result<()> {
    let order_id = format!("demo-{}", hex::encode(&random::bytes::<8>()));
    let body = serde_json::json!({
        "order_id": order_id,
        "account": account,
        "amount": {"amount": FUNDS, "currency": bank.currency().to_string()},
        "reference": format!("Opening deposit for {name}"),
    })
    .to_string();
    let exp = clock::now_us() / 1_000_000 + 300;
    let signature = jws::sign_detached(key, &device.to_string(), "cash", bank.origin(), exp, body.as_bytes());
    let verified = bank.verify_order::<CashOrder>(teller, Some(&signature), body.as_bytes()).await?;
    bank.deposit(verified).await?.outcome.map(|_| ()).map_err(Error::Refused)
}

/// A pronounceable word of a passphrase: about 20 bits.
fn word() -> String {
    const CONSONANTS: &[u8; 16] = b"bcdfghjklmnprstv";
    const VOWELS: &[u8; 4] = b"aeio";
    let mut word = String::new();
    for byte in random::bytes::<3>() {
        word.push(CONSONANTS[usize::from(byte & 15)] as char);
        word.push(VOWELS[usize::from(byte >> 4 & 3)] as char);
    }
    word
}
