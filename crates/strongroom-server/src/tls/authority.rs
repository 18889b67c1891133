//! The development certificate authority and the server certificates it signs.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;
use super::files::{self, Files};

const DAY_S: i64 = 24 * 3600;
const AUTHORITY_DAYS: i64 = 5 * 365;
const SERVER_DAYS: i64 = 90;
/// Certificates start a little in the past, for clients whose clock is behind.
const BACKDATE_S: i64 = 3600;

/// What a certificate says, for people and for `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateInfo {
    /// Whose certificate it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The host names and addresses it is valid for.
    pub names: Vec<String>,
    /// Start of validity, RFC 3339 UTC.
    pub not_before: String,
    /// End of validity, RFC 3339 UTC.
    pub not_after: String,
    /// From this moment on it is renewed (a third of its life is left), RFC 3339 UTC.
    pub renew_after: String,
    /// Serial number in hex.
    pub serial: String,
    /// SHA-256 of the certificate, in hex.
    pub sha256: String,
    #[serde(skip)]
    renew_after_s: i64,
    #[serde(skip)]
    not_after_s: i64,
}

impl CertificateInfo {
    /// Whether the certificate should be renewed at `now_us`.
    pub fn is_due(&self, now_us: i64) -> bool {
        seconds(now_us) >= self.renew_after_s
    }

    /// Whether the certificate is past its end at `now_us`.
    pub fn is_expired(&self, now_us: i64) -> bool {
        seconds(now_us) > self.not_after_s
    }
}

/// What [`issue`] made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issued {
    /// The server's new certificate.
    pub server: CertificateInfo,
    /// The authority that signed it.
    pub authority: CertificateInfo,
    /// True when the authority is new: clients that trusted an older one must be given the new.
    pub is_new_authority: bool,
}

/// Makes a server certificate in `dir` for localhost and `names`, and an authority when there is none,
/// it is old, or it may not sign for one of the names.
pub fn issue(dir: &Path, names: &[String], now_us: i64) -> Result<Issued, TlsError> {
    let files = Files::in_dir(dir);
    files::make_dir(dir)?;
    let names = with_local_names(names)?;
    let is_new_authority = !has_fitting_authority(&files, &names, now_us)?;
    if is_new_authority {
        make_authority(&files, &names, now_us)?;
    }
    make_server(&files, &names, now_us)?;
    Ok(Issued { server: show(&files.server)?, authority: show(&files.ca)?, is_new_authority })
}

/// Issues again when the server certificate is missing, has a third of its life left, or lacks one of
/// the names; answers what was made, or nothing when all was in order.
pub fn renew_if_due(dir: &Path, names: &[String], now_us: i64) -> Result<Option<Issued>, TlsError> {
    let files = Files::in_dir(dir);
    if !files.server.exists() || !files.server_key.exists() {
        return issue(dir, names, now_us).map(Some);
    }
    let current = show(&files.server)?;
    let wanted = with_local_names(names)?;
    let is_complete = wanted.iter().all(|name| current.names.contains(name));
    if is_complete && !current.is_due(now_us) {
        return Ok(None);
    }
    // Names an earlier `tls issue` added stay: renewal must never take a name away.
    let kept: Vec<String> = current.names.into_iter().chain(wanted).collect();
    issue(dir, &kept, now_us).map(Some)
}

/// Reads the first certificate of a PEM file.
pub fn show(path: &Path) -> Result<CertificateInfo, TlsError> {
    let not_a_certificate = |cause: String| TlsError::Content {
        path: path.to_owned(),
        expected: "a PEM certificate",
        cause,
        cure: "put the certificate there again, or run `strongroom tls issue`",
    };
    let pem = files::read(path)?;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| not_a_certificate(error.to_string()))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| not_a_certificate(error.to_string()))?;
    Ok(describe(&certificate, &der))
}

fn describe(certificate: &X509Certificate<'_>, der: &[u8]) -> CertificateInfo {
    let start_s = certificate.validity().not_before.timestamp();
    let end_s = certificate.validity().not_after.timestamp();
    let renew_after_s = end_s - (end_s - start_s) / 3;
    CertificateInfo {
        subject: certificate.subject().to_string(),
        issuer: certificate.issuer().to_string(),
        names: names_of(certificate),
        not_before: rfc3339(start_s),
        not_after: rfc3339(end_s),
        renew_after: rfc3339(renew_after_s),
        serial: hex(certificate.raw_serial()),
        sha256: hex(&strongroom_crypto::digest::sha256(der)),
        renew_after_s,
        not_after_s: end_s,
    }
}

fn names_of(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    extension.value.general_names.iter().filter_map(name_text).collect()
}

fn name_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    }
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(four).into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|sixteen| Ipv6Addr::from(sixteen).into())
}

fn with_local_names(names: &[String]) -> Result<BTreeSet<String>, TlsError> {
    let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let all: BTreeSet<String> = local.into_iter().chain(names.iter().map(|name| name.to_ascii_lowercase())).collect();
    match all.iter().find(|name| !is_possible_name(name)) {
        Some(name) => Err(TlsError::Name { name: name.clone() }),
        None => Ok(all),
    }
}

fn is_possible_name(name: &str) -> bool {
    name.parse::<IpAddr>().is_ok() || (!name.starts_with('.') && rustls_pki_types::DnsName::try_from(name).is_ok())
}

/// Whether the authority in place can sign for all `names` until the new certificate ends.
fn has_fitting_authority(files: &Files, names: &BTreeSet<String>, now_us: i64) -> Result<bool, TlsError> {
    if !files.ca.exists() || !files.ca_key.exists() {
        return Ok(false);
    }
    let authority = show(&files.ca)?;
    let ends_in_time = seconds(now_us) + SERVER_DAYS * DAY_S < authority.not_after_s;
    let permitted = permitted_names(&files.ca)?;
    Ok(ends_in_time && names.iter().all(|name| permitted.contains(name) || is_loopback(name)))
}

fn is_loopback(name: &str) -> bool {
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn permitted_names(ca: &Path) -> Result<BTreeSet<String>, TlsError> {
    let pem = files::read(ca)?;
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return Ok(BTreeSet::new()) };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return Ok(BTreeSet::new()) };
    let Ok(Some(constraints)) = certificate.name_constraints() else { return Ok(BTreeSet::new()) };
    let subtrees = constraints.value.permitted_subtrees.iter().flatten();
    Ok(subtrees.filter_map(|subtree| subtree_text(&subtree.base)).collect())
}

fn subtree_text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        // An address subtree is address and mask, half and half.
        GeneralName::IPAddress(bytes) => address(&bytes[..bytes.len() / 2]).map(|ip| ip.to_string()),
        other => name_text(other),
    }
}

fn make_authority(files: &Files, names: &BTreeSet<String>, now_us: i64) -> Result<(), TlsError> {
    let key = KeyPair::generate()?;
    let mut params = params_lasting(now_us, AUTHORITY_DAYS);
    params.distinguished_name.push(DnType::CommonName, "Strongroom development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints = Some(constraints_to(names));
    let certificate = params.self_signed(&key)?;
    // The key first: a certificate whose key is missing is seen and replaced, not used.
    files::replace(&files.ca_key, &key.serialize_pem(), 0o600)?;
    files::replace(&files.ca, &certificate.pem(), 0o644)
}

fn constraints_to(names: &BTreeSet<String>) -> NameConstraints {
    let local = [
        GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)),
        GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(Ipv6Addr::LOCALHOST.into(), 128)),
    ];
    let named = names.iter().map(|name| match name.parse::<IpAddr>() {
        Ok(ip) => GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(ip, if ip.is_ipv4() { 32 } else { 128 })),
        Err(_) => GeneralSubtree::DnsName(name.clone()),
    });
    NameConstraints { permitted_subtrees: local.into_iter().chain(named).collect(), excluded_subtrees: Vec::new() }
}

fn make_server(files: &Files, names: &BTreeSet<String>, now_us: i64) -> Result<(), TlsError> {
    let ca_pem = files::read(&files.ca)?;
    let ca_key = KeyPair::from_pem(&files::read_key(&files.ca_key)?)?;
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, ca_key)?;
    let key = KeyPair::generate()?;
    let mut params = params_lasting(now_us, SERVER_DAYS);
    params.subject_alt_names = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?.subject_alt_names;
    params.distinguished_name.push(DnType::CommonName, "Strongroom server");
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer)?;
    files::replace(&files.server_key, &key.serialize_pem(), 0o600)?;
    files::replace(&files.server, &certificate.pem(), 0o600)
}

fn params_lasting(now_us: i64, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = moment(seconds(now_us) - BACKDATE_S);
    params.not_after = moment(seconds(now_us) + days * DAY_S);
    params
}

fn moment(time_s: i64) -> OffsetDateTime {
    // Only a time beyond the year 9999 fails, and the epoch is then as good as any other refusal.
    OffsetDateTime::from_unix_timestamp(time_s).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn seconds(time_us: i64) -> i64 {
    time_us.div_euclid(1_000_000)
}

fn rfc3339(time_s: i64) -> String {
    jiff::Timestamp::from_second(time_s).map(|time| time.to_string()).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
