//! Bearer tokens (JWT, RFC 7519): signature by a named algorithm and a public key, times, issuer and audience.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Caller;
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::{normalise_entity_id, normalise_person_id};
use crate::serve::settings::{Grant, Issuer, Role};

/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 30;

/// How many tokens are remembered as checked.
const REMEMBERED: usize = 20_000;

/// The longest token.
const LONGEST: usize = 8 * 1024;

/// Those who issue tokens, with their keys.
pub struct Tokens {
    issuers: Vec<Trusted>,
    /// Tokens that were checked, by SHA-256, with the second that they end.
    checked: Mutex<Checked>,
}

/// By SHA-256 of the token: its bearer, and the second that it ends.
type Checked = HashMap<[u8; 32], (Arc<Caller>, u64)>;

struct Trusted {
    issuer: String,
    keys: Vec<Key>,
    validation: Validation,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
}

/// What a token says.
#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    exp: u64,
    /// The real name; without one, the subject.
    name: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    regions: Vec<String>,
    #[serde(default)]
    departments: Vec<String>,
    #[serde(default)]
    purposes: Vec<String>,
    #[serde(default)]
    subjects: Vec<Own>,
}

/// Whom the bearer is, or acts for.
#[derive(Debug, Deserialize)]
struct Own {
    kind: String,
    id: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let issuers: Vec<&str> = self.issuers.iter().map(|issuer| issuer.issuer.as_str()).collect();
        formatter.debug_struct("Tokens").field("issuers", &issuers).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Reads the keys of issuers.
    ///
    /// # Errors
    ///
    /// When a file of keys holds none that can be used.
    pub fn load(issuers: &[Issuer]) -> Result<Self, Vec<Diagnostic>> {
        let (mut trusted, mut faults) = (Vec::new(), Vec::new());
        for issuer in issuers {
            match keys_of(issuer) {
                Ok(keys) => {
                    let mut validation = Validation::new(issuer.algorithms.first().copied().unwrap_or(Algorithm::ES256));
                    validation.algorithms.clone_from(&issuer.algorithms);
                    validation.leeway = LEEWAY;
                    validation.validate_nbf = true;
                    validation.set_audience(&[&issuer.audience]);
                    validation.set_issuer(&[&issuer.issuer]);
                    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
                    trusted.push(Trusted { issuer: issuer.issuer.clone(), keys, validation });
                }
                Err(why) => {
                    let path = issuer.keys.display();
                    let (zh, en) = (format!("{path} 里没有可用的公钥: {why}"), format!("{path} holds no public key to use: {why}"));
                    faults.push(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help(
                        "应为一把公钥的 PEM, 或 JWKS 的 JSON; 私钥和对称密钥不接受",
                        "PEM of one public key, or the JSON of a JWKS; no private and no symmetric keys",
                    ));
                }
            }
        }
        if faults.is_empty() { Ok(Self { issuers: trusted, checked: Mutex::default() }) } else { Err(faults) }
    }

    /// Who bears a token; none where it is not valid, for whatever reason.
    #[must_use]
    pub fn caller(&self, token: &str) -> Option<Arc<Caller>> {
        if token.len() > LONGEST {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = get_current_timestamp();
        {
            let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((caller, until)) = checked.get(&digest) {
                return (*until + LEEWAY > now).then(|| Arc::clone(caller));
            }
        }
        let (caller, until) = self.check(token)?;
        let caller = Arc::new(caller);
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.len() >= REMEMBERED {
            checked.clear();
        }
        checked.insert(digest, (Arc::clone(&caller), until));
        Some(caller)
    }

    fn check(&self, token: &str) -> Option<(Caller, u64)> {
        let header = decode_header(token).ok()?;
        self.issuers.iter().find_map(|issuer| {
            if !issuer.validation.algorithms.contains(&header.alg) {
                return None;
            }
            // One algorithm at a time: a list is taken only where all of it belongs to the family of the key.
            let validation = Validation { algorithms: vec![header.alg], ..issuer.validation.clone() };
            let by_id = |key: &&Key| header.kid.is_none() || key.id.is_none() || key.id == header.kid;
            issuer.keys.iter().filter(by_id).filter(|key| key.key.family() == header.alg.family()).find_map(|key| {
                let claims: Claims = decode(token, &key.key, &validation).ok()?.claims;
                Some((caller(&claims), claims.exp))
            })
        })
    }

    /// Forgets tokens that have ended.
    pub fn sweep(&self) {
        let now = get_current_timestamp();
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (_, until)| *until + LEEWAY > now);
    }
}

fn keys_of(issuer: &Issuer) -> Result<Vec<Key>, String> {
    let text = std::fs::read_to_string(&issuer.keys).map_err(|error| error.to_string())?;
    if text.trim_start().starts_with('{') {
        let set: JwkSet = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let asymmetric = |key: &DecodingKey| key.family() != AlgorithmFamily::Hmac;
        let keys = set.keys.iter().filter_map(|jwk| {
            let key = DecodingKey::from_jwk(jwk).ok().filter(asymmetric)?;
            Some(Key { id: jwk.common.key_id.clone(), key })
        });
        let keys: Vec<Key> = keys.collect();
        return if keys.is_empty() { Err("JWKS".to_owned()) } else { Ok(keys) };
    }
    let bytes = text.as_bytes();
    let key = DecodingKey::from_ec_pem(bytes).or_else(|_| DecodingKey::from_rsa_pem(bytes)).or_else(|_| DecodingKey::from_ed_pem(bytes));
    if text.contains("PRIVATE KEY") {
        return Err("PRIVATE KEY".to_owned());
    }
    Ok(vec![Key { id: None, key: key.map_err(|error| error.to_string())? }])
}

fn caller(claims: &Claims) -> Caller {
    let role = |word: &String| Role::WORDS.iter().find(|(known, _)| known == word).map(|(_, role)| *role);
    let grant = Grant {
        // A role that is not known gives nothing.
        roles: claims.roles.iter().filter_map(role).collect(),
        regions: claims.regions.clone(),
        departments: claims.departments.clone(),
        purposes: if claims.purposes.is_empty() { vec!["*".to_owned()] } else { claims.purposes.clone() },
        subjects: claims.subjects.iter().filter_map(|own| Some((kind(&own.kind)?, one_form(kind(&own.kind)?, &own.id)))).collect(),
    };
    Caller { id: claims.sub.clone(), name: claims.name.clone().unwrap_or_else(|| claims.sub.clone()), grant }
}

/// The kind of a word.
#[must_use]
pub fn kind(word: &str) -> Option<SubjectKind> {
    SubjectKind::ALL.into_iter().find(|kind| kind.name() == word)
}

/// The one form of an identifier.
#[must_use]
pub fn one_form(kind: SubjectKind, written: &str) -> String {
    let normalised = match kind {
        SubjectKind::Person => normalise_person_id(written).ok(),
        SubjectKind::Entity => normalise_entity_id(written).ok(),
        SubjectKind::Household => None,
    };
    normalised.map_or_else(|| written.trim().to_owned(), |id| id.text.into_owned())
}
