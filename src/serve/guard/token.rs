//! Bearer tokens (JWT, RFC 7519): signature by a named algorithm and a public key, times, issuer and audience.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation, decode, decode_header, get_current_timestamp};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Caller;
use super::remote::{Pace, Remote};
use crate::diagnostic::{Diagnostic, code};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::one_form;
use crate::serve::settings::{Grant, Issuer, Keys, Role};

/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 30;

/// How many tokens are remembered as checked.
const REMEMBERED: usize = 20_000;

/// The longest token.
const LONGEST: usize = 8 * 1024;

/// Those who issue tokens, with their keys.
pub struct Tokens {
    issuers: Vec<Trusted>,
    /// Tokens that were checked, by SHA-256, with the second that they end; and how often keys had changed then.
    checked: Mutex<(u64, Checked)>,
}

/// By SHA-256 of the token: its bearer, and the second that it ends.
type Checked = HashMap<[u8; 32], (Arc<Caller>, u64)>;

struct Trusted {
    issuer: String,
    prefix: String,
    keys: Held,
    validation: Validation,
}

/// Where the keys of an issuer are held.
enum Held {
    /// As they were read.
    Fixed(Vec<Key>),
    /// As they were fetched last.
    Remote(Arc<Remote>),
}

impl Held {
    fn with<T>(&self, work: impl FnOnce(&[Key]) -> T) -> T {
        match self {
            Self::Fixed(keys) => work(keys),
            Self::Remote(remote) => remote.with(work),
        }
    }
}

/// One public key.
pub(super) struct Key {
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
    /// Reads the keys of issuers that are in files. Those that issuers publish are fetched later (see [`Self::keep_fresh`]);
    /// those that were fetched before, by the tokens of before, are good until then.
    ///
    /// # Errors
    ///
    /// When a file of keys, or of authorities, holds none that can be used.
    pub fn load(issuers: &[Issuer], before: Option<&Self>) -> Result<Self, Vec<Diagnostic>> {
        let (mut trusted, mut faults) = (Vec::new(), Vec::new());
        for issuer in issuers {
            let held = match &issuer.keys {
                Keys::File(path) => keys_of(path).map(Held::Fixed).map_err(|why| unusable(path, &why)),
                Keys::At(at) => {
                    let known =
                        before.and_then(|before| before.remotes().find(|known| known.issuer() == issuer.issuer && known.at() == at));
                    let remote = Remote::new(&issuer.issuer, at, Pace::USUAL, known.map(AsRef::as_ref));
                    remote.map(|remote| Held::Remote(Arc::new(remote))).map_err(|why| untrusted(&why))
                }
            };
            match held {
                Ok(keys) => {
                    let mut validation = Validation::new(issuer.algorithms.first().copied().unwrap_or(Algorithm::ES256));
                    validation.algorithms.clone_from(&issuer.algorithms);
                    validation.leeway = LEEWAY;
                    validation.validate_nbf = true;
                    validation.set_audience(&[&issuer.audience]);
                    validation.set_issuer(&[&issuer.issuer]);
                    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
                    trusted.push(Trusted { issuer: issuer.issuer.clone(), prefix: issuer.prefix.clone(), keys, validation });
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(Self { issuers: trusted, checked: Mutex::default() }) } else { Err(faults) }
    }

    fn remotes(&self) -> impl Iterator<Item = &Arc<Remote>> {
        self.issuers.iter().filter_map(|issuer| match &issuer.keys {
            Held::Remote(remote) => Some(remote),
            Held::Fixed(_) => None,
        })
    }

    /// Fetches the keys that issuers publish, and goes on doing so while these tokens are held.
    pub async fn keep_fresh(&self) {
        futures::future::join_all(self.remotes().map(Remote::keep_fresh)).await;
    }

    /// Fetches the keys of issuers anew where a token names one that is not among them. Gives whether it is worth looking at
    /// the token again.
    pub async fn renew(&self, token: &str) -> bool {
        let Some(header) = Some(token).filter(|token| token.len() <= LONGEST).and_then(|token| decode_header(token).ok()) else {
            return false;
        };
        let lacks = |keys: &[Key]| !keys.iter().any(|key| key.id.is_none() || key.id == header.kid);
        let mut is_renewed = false;
        for issuer in &self.issuers {
            if let Held::Remote(remote) = &issuer.keys
                && (remote.with(<[Key]>::is_empty) || (header.kid.is_some() && remote.with(lacks)))
            {
                is_renewed |= remote.renew().await;
            }
        }
        is_renewed
    }

    /// Who bears a token; none where it is not valid, for whatever reason.
    #[must_use]
    pub fn caller(&self, token: &str) -> Option<Arc<Caller>> {
        if token.len() > LONGEST {
            return None;
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let (now, changes) = (get_current_timestamp(), self.remotes().map(|remote| remote.changes()).sum());
        {
            let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            if checked.0 != changes {
                // A key that an issuer took back must not go on by what was signed with it.
                *checked = (changes, Checked::default());
            }
            if let Some((caller, until)) = checked.1.get(&digest) {
                return (until.saturating_add(LEEWAY) > now).then(|| Arc::clone(caller));
            }
        }
        let (caller, until) = self.check(token)?;
        let caller = Arc::new(caller);
        let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
        if checked.0 != changes {
            return Some(caller);
        }
        let checked = &mut checked.1;
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
            issuer.keys.with(|keys| {
                keys.iter().filter(by_id).filter(|key| key.key.family() == header.alg.family()).find_map(|key| {
                    let claims: Claims = decode(token, &key.key, &validation).ok()?.claims;
                    Some((caller(&claims, &issuer.prefix), claims.exp))
                })
            })
        })
    }

    /// Forgets tokens that have ended.
    pub fn sweep(&self) {
        let now = get_current_timestamp();
        self.checked.lock().unwrap_or_else(PoisonError::into_inner).1.retain(|_, (_, until)| until.saturating_add(LEEWAY) > now);
    }
}

fn unusable(path: &Path, why: &str) -> Diagnostic {
    let path = path.display();
    let (zh, en) = (format!("{path} 里没有可用的公钥: {why}"), format!("{path} holds no public key to use: {why}"));
    Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help(
        "应为一把公钥的 PEM, 或 JWKS 的 JSON; 私钥和对称密钥不接受",
        "PEM of one public key, or the JSON of a JWKS; no private and no symmetric keys",
    )
}

fn untrusted(why: &str) -> Diagnostic {
    let (zh, en) = (format!("ca 不能用: {why}"), format!("ca cannot be used: {why}"));
    Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("应为 PEM 证书", "PEM of certificates")
}

/// The public keys of a set (JWKS); those that cannot be used are left out.
///
/// # Errors
///
/// When it is no set, or none of its keys can be used.
pub(super) fn keys_of_set(text: &str) -> Result<Vec<Key>, String> {
    let set: JwkSet = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let asymmetric = |key: &DecodingKey| key.family() != AlgorithmFamily::Hmac;
    let keys = set.keys.iter().filter_map(|jwk| {
        let key = DecodingKey::from_jwk(jwk).ok().filter(asymmetric)?;
        Some(Key { id: jwk.common.key_id.clone(), key })
    });
    let keys: Vec<Key> = keys.collect();
    if keys.is_empty() { Err("JWKS".to_owned()) } else { Ok(keys) }
}

fn keys_of(path: &Path) -> Result<Vec<Key>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    if text.trim_start().starts_with('{') {
        return keys_of_set(&text);
    }
    let bytes = text.as_bytes();
    let key = DecodingKey::from_ec_pem(bytes).or_else(|_| DecodingKey::from_rsa_pem(bytes)).or_else(|_| DecodingKey::from_ed_pem(bytes));
    if text.contains("PRIVATE KEY") {
        return Err("PRIVATE KEY".to_owned());
    }
    Ok(vec![Key { id: None, key: key.map_err(|error| error.to_string())? }])
}

fn caller(claims: &Claims, prefix: &str) -> Caller {
    let role = |word: &String| Role::WORDS.iter().find(|(known, _)| known == word).map(|(_, role)| *role);
    let own = |own: &Own| {
        let kind = SubjectKind::named(&own.kind)?;
        Some((kind, one_form(kind, &own.id)))
    };
    let grant = Grant {
        // A role that is not known gives nothing.
        roles: claims.roles.iter().filter_map(role).collect(),
        regions: claims.regions.clone(),
        departments: claims.departments.clone(),
        purposes: if claims.purposes.is_empty() { vec!["*".to_owned()] } else { claims.purposes.clone() },
        subjects: claims.subjects.iter().filter_map(own).collect(),
    };
    Caller { id: format!("{prefix}{}", claims.sub), name: claims.name.clone().unwrap_or_else(|| claims.sub.clone()), grant }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use ed25519_dalek::pkcs8::EncodePrivateKey;
    use jsonwebtoken::{EncodingKey, Header, encode};

    use super::*;

    /// The seed of the key of RFC 8037, appendix A, and its public half as a JWKS has it.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32,
        0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    fn issuer(keys: &Path) -> Issuer {
        let (issuer, audience) = ("https://id.example".to_owned(), "mianshen".to_owned());
        Issuer { issuer, audience, prefix: String::new(), keys: Keys::File(keys.to_owned()), algorithms: vec![Algorithm::EdDSA] }
    }

    fn token(kid: Option<&str>, exp: u64) -> String {
        let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::EdDSA) };
        let claims = serde_json::json!({
            "iss": "https://id.example", "aud": "mianshen", "sub": "c1", "name": "王小明", "exp": exp, "roles": ["citizen", "king"],
            "subjects": [{"kind": "person", "id": "11010519491231002x"}, {"kind": "ghost", "id": "x"}],
        });
        let der = SigningKey::from_bytes(&SEED).to_pkcs8_der().expect("a key");
        encode(&header, &claims, &EncodingKey::from_ed_der(der.as_bytes())).expect("a token")
    }

    #[test]
    fn keys_of_a_set_are_told_apart_by_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwks.json");
        let key = |kid: &str| serde_json::json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": kid, "x": PUBLIC});
        std::fs::write(&path, serde_json::json!({"keys": [key("now")]}).to_string()).expect("written");
        let tokens = Tokens::load(&[issuer(&path)], None).expect("a key");
        let later = get_current_timestamp() + 600;
        for _ in 0..2 {
            // The second time it is remembered.
            let caller = tokens.caller(&token(Some("now"), later)).expect("a caller");
            assert_eq!((caller.id.as_str(), caller.name.as_str(), caller.grant.roles.as_slice()), ("c1", "王小明", &[Role::Citizen][..]));
            assert_eq!(caller.grant.subjects, [(SubjectKind::Person, "11010519491231002X".to_owned())]);
        }
        let apart = Tokens::load(&[Issuer { prefix: "cas:".to_owned(), ..issuer(&path) }], None).expect("a key");
        assert_eq!(apart.caller(&token(Some("now"), later)).expect("a caller").id, "cas:c1");
        assert!(tokens.caller(&token(None, u64::MAX >> 11)).is_some(), "without a name every key is tried");
        assert!(tokens.caller(&token(Some("before"), later)).is_none());
        assert!(tokens.caller(&token(Some("now"), 1)).is_none());
    }

    #[test]
    fn sets_without_a_public_key_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("jwks.json");
        for text in [r#"{"keys": []}"#, r#"{"keys": [{"kty": "oct", "k": "AAAA", "alg": "HS256"}]}"#, "{}", "no key"] {
            std::fs::write(&path, text).expect("written");
            let told = Tokens::load(&[issuer(&path)], None).expect_err("refused");
            assert_eq!(told.len(), 1, "{text}");
        }
    }
}
