//! What the server is told in `serve.yaml`: where it listens, what it serves, who may ask for what, and how much.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::diagnostic::Message;
use crate::register::declaration::SubjectKind;
use crate::store::Address;

/// Everything that the server is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The policies folder.
    pub policies: PathBuf,
    /// Where the registers are; none: simulations and a first run are not to be had.
    pub sources: Option<PathBuf>,
    /// The store.
    pub store: Address,
    /// Certificate and key; none: plain HTTP.
    pub tls: Option<Tls>,
    /// Who issues tokens.
    pub issuers: Vec<Issuer>,
    /// Keys of programs and of small places.
    pub api_keys: Vec<ApiKey>,
    /// What requests may be for.
    pub purposes: Vec<Purpose>,
    /// How much.
    pub limits: Limits,
    /// What is logged, and how.
    pub log: Log,
    /// Where traces go; none: nowhere.
    pub traces: Option<Traces>,
    /// How long requests under way may take to end when the server is stopped.
    pub drain: Duration,
}

/// Certificate and key in PEM files.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, with those that it rests on.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Who issues bearer tokens (JWT), and how they are checked.
#[derive(Debug, Clone)]
pub struct Issuer {
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The `aud` that its tokens must have.
    pub audience: String,
    /// What is put before the subject of its tokens, so that nobody of one issuer is taken for somebody of another.
    pub prefix: String,
    /// Its public keys.
    pub keys: Keys,
    /// The algorithms that its tokens may be signed with; none of them symmetric.
    pub algorithms: Vec<jsonwebtoken::Algorithm>,
}

/// Where the public keys of an issuer are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// In a file: PEM of one key, or JSON of a set (JWKS). Read again on reload.
    File(PathBuf),
    /// Where the issuer publishes them.
    At(KeysAt),
}

/// Where an issuer publishes its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysAt {
    /// The address of the set (JWKS), or of the description that names it.
    pub address: Url,
    /// Whether it is the address of the description (`/.well-known/openid-configuration`).
    pub is_discovered: bool,
    /// PEM of the authorities that are trusted to vouch for it; none: those that the system trusts.
    pub authority: Option<PathBuf>,
}

/// Where traces of requests go (OTLP over HTTP).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// The collector, with its path: `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: Url,
    /// PEM of the authorities that are trusted to vouch for it; none: those that the system trusts.
    pub authority: Option<PathBuf>,
    /// Of a hundred requests, so many are told of; those of a trace that was begun elsewhere as it was decided there.
    pub percent: u32,
}

/// A key that is sent with each request, kept as a digest.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// What the key is called in the access trail.
    pub id: String,
    /// The real name of who answers for its use.
    pub name: String,
    /// SHA-256 of the key, in hexadecimal.
    pub digest: [u8; 32],
    /// What it may do.
    pub grant: Grant,
}

/// What a caller may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// In which roles.
    pub roles: Vec<Role>,
    /// In which regions, with all below them; `*`: in all.
    pub regions: Vec<String>,
    /// For which departments (codes of authorities); `*`: for all.
    pub departments: Vec<String>,
    /// For which purposes; `*`: for all that a role may name.
    pub purposes: Vec<String>,
    /// Who the caller is, or acts for: the only subjects that a citizen may ask about.
    pub subjects: Vec<(SubjectKind, String)>,
}

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asks about himself, or about a company that he acts for.
    Citizen,
    /// Works for a department in a region.
    Handler,
    /// Writes policies.
    PolicyAuthor,
    /// Looks into who read what, and why somebody was served.
    Auditor,
    /// Runs the server.
    Administrator,
}

impl Role {
    /// All roles with their words.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("citizen", Self::Citizen),
        ("handler", Self::Handler),
        ("policy_author", Self::PolicyAuthor),
        ("auditor", Self::Auditor),
        ("administrator", Self::Administrator),
    ];

    /// The word in settings and tokens.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::WORDS.iter().find(|(_, role)| *role == self).map_or("", |(word, _)| word)
    }
}

/// What a request may be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// The word in the header `Purpose`.
    pub id: String,
    /// For people.
    pub label: Message,
    /// The facts that it may see: names, `*` at the end of one stands for any rest.
    pub facts: Vec<String>,
    /// Whether names and identifiers are shown in full.
    pub unmasked: bool,
    /// The roles that may name it.
    pub roles: Vec<Role>,
}

impl Purpose {
    /// Whether a fact may be seen.
    #[must_use]
    pub fn sees(&self, fact: &str) -> bool {
        self.facts.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(start) => fact.starts_with(start),
            None => fact == pattern,
        })
    }
}

/// How much a caller, a request and the whole server may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Bytes of the body of a request, unpacked.
    pub body: usize,
    /// Bytes of the body of a bulk request, unpacked.
    pub bulk_body: usize,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long a bulk request may take.
    pub bulk_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub head_timeout: Duration,
    /// Connections at a time; more are closed at once.
    pub connections: usize,
    /// Requests at work at a time; more are told to come again.
    pub in_flight: usize,
    /// Requests of one caller per second, in the long run.
    pub per_second: u32,
    /// Requests of one caller at once.
    pub burst: u32,
    /// Simulations at a time.
    pub simulations: usize,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Whether each line is a JSON object.
    pub json: bool,
    /// What is logged, as `--log` says it; none: nothing but warnings.
    pub filter: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090),
            policies: PathBuf::from("policies"),
            sources: Some(PathBuf::from("data-samples/sources.yaml")),
            store: Address::Sqlite(PathBuf::from("mianshen-store/city.db")),
            tls: None,
            issuers: Vec::new(),
            api_keys: Vec::new(),
            purposes: usual_purposes(),
            limits: Limits::default(),
            log: Log { json: false, filter: "mianshen=info".to_owned() },
            traces: None,
            drain: Duration::from_secs(20),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 1 << 20,
            bulk_body: 256 << 20,
            timeout: Duration::from_secs(10),
            bulk_timeout: Duration::from_mins(10),
            head_timeout: Duration::from_secs(10),
            connections: 10_000,
            in_flight: 512,
            per_second: 100,
            burst: 200,
            simulations: 1,
        }
    }
}

impl Settings {
    /// Whether anybody is named who may ask; where nobody is, only this machine is served.
    #[must_use]
    pub fn has_identities(&self) -> bool {
        !self.issuers.is_empty() || !self.api_keys.is_empty()
    }

    /// The purpose of a name.
    #[must_use]
    pub fn purpose(&self, id: &str) -> Option<&Purpose> {
        self.purposes.iter().find(|purpose| purpose.id == id)
    }
}

/// The purposes where settings name none.
#[must_use]
pub fn usual_purposes() -> Vec<Purpose> {
    use Role::{Administrator, Auditor, Citizen, Handler};
    let purpose = |id: &str, (zh, en): (&str, &str), facts: &[&str], unmasked: bool, roles: &[Role]| Purpose {
        id: id.to_owned(),
        label: Message::new(zh, en),
        facts: facts.iter().map(|fact| (*fact).to_owned()).collect(),
        unmasked,
        roles: roles.to_vec(),
    };
    vec![
        purpose("self", ("本人查询", "asks about himself"), &["*"], true, &[Citizen]),
        purpose("find_services", ("服务找人", "services that find people"), &[], false, &[Handler, Administrator]),
        purpose("casework", ("经办", "casework"), &["*"], false, &[Handler, Administrator]),
        purpose("audit", ("监察", "audit"), &["*"], false, &[Auditor, Administrator]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_sees_what_it_names() {
        let purpose = Purpose { facts: vec!["birth_date".to_owned(), "household.*".to_owned()], ..usual_purposes().remove(1) };
        assert!(purpose.sees("birth_date") && purpose.sees("household.income_per_capita"));
        assert!(!purpose.sees("birth_date_of_child") && !purpose.sees("income"));
    }
}
