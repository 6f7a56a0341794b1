//! `serve.yaml` read with the place of every mistake.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use url::Url;

use super::settings::{ApiKey, Grant, Issuer, Keys, KeysAt, Limits, Log, Purpose, Role, Settings, Tls, Traces};
use crate::diagnostic::{Diagnostic, SourceFile, code, has_errors};
use crate::hex;
use crate::outgoing::may_be_asked;
use crate::register::declaration::SubjectKind;
use crate::store::Address;
use crate::yaml::{self, Fields, Node, wrong_shape};

/// The algorithms that tokens may be signed with: each has a public key, so that who checks cannot sign.
pub const ALGORITHMS: &[(&str, Algorithm)] = &[
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("EdDSA", Algorithm::EdDSA),
];

const KINDS: &[(&str, SubjectKind)] =
    &[("person", SubjectKind::Person), ("household", SubjectKind::Household), ("entity", SubjectKind::Entity)];

const YES_OR_NO: &[(&str, bool)] = &[("true", true), ("yes", true), ("false", false), ("no", false)];

impl Settings {
    /// Reads a settings file. Paths in it are those from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place; `path-missing` or `file-unreadable` where the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&yaml::settings(path, "docs/serve.md")?)
    }

    /// Reads the text of a settings file.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place.
    pub fn read(file: &std::sync::Arc<SourceFile>) -> Result<Self, Vec<Diagnostic>> {
        let (root, mut diagnostics) = yaml::parse(file);
        let mut settings = Self::default();
        let folder = file.path.parent().map(Path::to_owned).unwrap_or_default();
        if let Some(root) = root.filter(|root| !root.is_null()) {
            whole(&root, &folder, &mut settings, &mut diagnostics);
        }
        if has_errors(&diagnostics) { Err(diagnostics) } else { Ok(settings) }
    }
}

fn whole(root: &Node, folder: &Path, settings: &mut Settings, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(root, diagnostics) else { return };
    if let Some(node) = fields.optional("listen") {
        match node.text().and_then(|text| text.parse::<SocketAddr>().ok()) {
            Some(address) => settings.listen = address,
            None => fields.report(
                wrong_shape(node, "地址和端口", "an address with a port")
                    .help("如 127.0.0.1:8090 或 \"[::]:8090\"", "such as 127.0.0.1:8090 or \"[::]:8090\""),
            ),
        }
    }
    // What is not said lies where the program is started, as with the other verbs.
    if let Some(path) = fields.text("policies") {
        settings.policies = folder.join(path);
    }
    if let Some(path) = fields.text("sources") {
        settings.sources = Some(folder.join(path));
    }
    store(&mut fields, folder, settings);
    settings.tls = fields.optional("tls").and_then(|node| tls(node, folder, fields.diagnostics()));
    settings.issuers = fields.list("issuers").iter().filter_map(|node| issuer(node, folder, fields.diagnostics())).collect();
    settings.api_keys = fields.list("api_keys").iter().filter_map(|node| api_key(node, fields.diagnostics())).collect();
    let purposes: Vec<Purpose> = fields.list("purposes").iter().filter_map(|node| purpose(node, fields.diagnostics())).collect();
    if !purposes.is_empty() {
        settings.purposes = purposes;
    }
    if let Some(node) = fields.optional("limits") {
        limits(node, &mut settings.limits, fields.diagnostics());
    }
    if let Some(node) = fields.optional("log") {
        log(node, &mut settings.log, fields.diagnostics());
    }
    settings.traces = fields.optional("traces").and_then(|node| traces(node, folder, fields.diagnostics()));
    seconds(&mut fields, "drain_seconds", &mut settings.drain);
    alone(&mut fields, settings);
    fields.finish();
}

/// Without anybody who may ask, nothing but this machine is served.
fn alone(fields: &mut Fields<'_>, settings: &Settings) {
    if settings.has_identities() || settings.listen.ip().is_loopback() {
        return;
    }
    let place = fields.optional("listen").map_or_else(|| fields.span(), Node::span);
    fields.report(
        Diagnostic::new(
            &code::SETTINGS_INVALID,
            format!("没有设置任何身份, 只能在本机监听, 不能在 {}", settings.listen),
            format!("without anybody who may ask, only this machine is served, not {}", settings.listen),
        )
        .at(place)
        .help("加上 issuers 或 api_keys, 或改为 127.0.0.1", "add issuers or api_keys, or listen on 127.0.0.1"),
    );
}

fn store(fields: &mut Fields<'_>, folder: &Path, settings: &mut Settings) {
    let (address, file) = (fields.optional("store"), fields.optional("store_file"));
    if let (Some(_), Some(file)) = (address, file) {
        fields.report(
            Diagnostic::new(&code::SETTINGS_INVALID, "store 和 store_file 只能写一个", "store and store_file exclude each other")
                .at(file.span()),
        );
    }
    if let Some((node, text)) = address.and_then(|node| Some((node, node.text()?))) {
        let has_password =
            url::Url::parse(text).is_ok_and(|url| url.password().is_some() || url.query_pairs().any(|(key, _)| key == "password"));
        if has_password {
            fields.report(
                Diagnostic::new(&code::SETTINGS_INVALID, "密码不能写在设置里", "a password does not belong into the settings")
                    .at(node.span())
                    .help("把整个地址写进一个文件, 用 store_file 指明", "put the whole address into a file, and name that with store_file"),
            );
        }
        store_at(fields, settings, folder, (node, text));
    }
    if let Some((node, path)) = file.and_then(|node| Some((node, node.text()?))) {
        match std::fs::read_to_string(folder.join(path)) {
            Ok(text) => store_at(fields, settings, folder, (node, text.trim())),
            Err(error) => fields.report(unreadable(node, &error)),
        }
    }
}

fn store_at(fields: &mut Fields<'_>, settings: &mut Settings, folder: &Path, (node, text): (&Node, &str)) {
    match Address::parse(text) {
        Ok(Address::Sqlite(path)) => settings.store = Address::Sqlite(folder.join(path)),
        Ok(address) => settings.store = address,
        Err(_) => fields.report(
            wrong_shape(node, "存储地址", "the address of a store")
                .help("文件路径、sqlite:路径 或 postgres://用户@主机/库名", "a file path, sqlite:PATH, or postgres://user@host/database"),
        ),
    }
}

fn unreadable(node: &Node, error: &std::io::Error) -> Diagnostic {
    Diagnostic::new(&code::SETTINGS_INVALID, format!("读不了这个文件: {error}"), format!("this file cannot be read: {error}"))
        .at(node.span())
}

/// A file that must be there.
fn file(fields: &mut Fields<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    let node = fields.required(key)?;
    let path = folder.join(node.text()?);
    if let Err(error) = std::fs::File::open(&path) {
        fields.report(unreadable(node, &error));
        return None;
    }
    Some(path)
}

fn tls(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Tls> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (certificate, key) = (file(&mut fields, "certificate", folder), file(&mut fields, "key", folder));
    fields.finish();
    Some(Tls { certificate: certificate?, key: key? })
}

fn required_text(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    fields.required(key)?;
    fields.text(key)
}

fn issuer(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Issuer> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (issuer, audience) = (required_text(&mut fields, "issuer"), required_text(&mut fields, "audience"));
    let keys = keys(&mut fields, folder, issuer.as_deref());
    let algorithms = words(&mut fields, "algorithms", ALGORITHMS);
    fields.finish();
    let algorithms = if algorithms.is_empty() { vec![Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA] } else { algorithms };
    Some(Issuer { issuer: issuer?, audience: audience?, keys: keys?, algorithms })
}

/// One of `keys` (a file), `keys_url` (a set) and `discovery: true`.
fn keys(fields: &mut Fields<'_>, folder: &Path, issuer: Option<&str>) -> Option<Keys> {
    let (in_file, url) = (fields.optional("keys"), fields.optional("keys_url"));
    let discovery = fields.optional("discovery").filter(|_| fields.choice("discovery", YES_OR_NO) == Some(true));
    let authority = fields.optional("ca");
    let named: Vec<&Node> = [in_file, url, discovery].into_iter().flatten().collect();
    let [one] = named[..] else {
        let place = named.get(1).map_or_else(|| fields.span(), |node| node.span());
        fields.report(
            Diagnostic::new(
                &code::SETTINGS_INVALID,
                "签发方的公钥应从一处来: keys、keys_url 或 discovery",
                "the keys of an issuer come from one place: keys, keys_url or discovery",
            )
            .at(place)
            .help(
                "keys: 文件; keys_url: JWKS 的地址; discovery: true 按 OpenID Connect Discovery 从 issuer 找",
                "keys: a file; keys_url: the address of a JWKS; discovery: true finds it from the issuer (OpenID Connect Discovery)",
            ),
        );
        return None;
    };
    if in_file.is_some() {
        if let Some(node) = authority {
            let (zh, en) = ("ca 只用于 keys_url 和 discovery", "ca is for keys_url and discovery");
            fields.report(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).at(node.span()));
        }
        return file(fields, "keys", folder).map(Keys::File);
    }
    let is_discovered = discovery.is_some();
    let text = if is_discovered {
        format!("{}/.well-known/openid-configuration", issuer?.trim_end_matches('/'))
    } else {
        one.text().unwrap_or_default().to_owned()
    };
    let address = asked_at(fields, one, &text)?;
    let authority = authority.map(|_| file(fields, "ca", folder).ok_or(())).transpose().ok()?;
    Some(Keys::At(KeysAt { address, is_discovered, authority }))
}

/// An address that the server may ask.
fn asked_at(fields: &mut Fields<'_>, node: &Node, text: &str) -> Option<Url> {
    let address =
        Url::parse(text).ok().filter(|address| may_be_asked(address) && address.username().is_empty() && address.password().is_none());
    if address.is_none() {
        fields.report(wrong_shape(node, "https 地址", "an https address").help(
            "只有本机 (127.0.0.1) 可用 http; 地址里不写用户和密码",
            "http only on this machine (127.0.0.1); no user and password in it",
        ));
    }
    address
}

fn traces(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Traces> {
    let mut fields = Fields::new(node, diagnostics)?;
    let endpoint = fields.required("endpoint");
    let endpoint = endpoint.and_then(|node| asked_at(&mut fields, node, node.text().unwrap_or_default()));
    let authority = fields.optional("ca").map(|_| file(&mut fields, "ca", folder).ok_or(())).transpose().ok();
    let mut percent = 100;
    whole_number(&mut fields, "percent", &mut percent);
    if let Some(node) = fields.optional("percent").filter(|_| percent > 100) {
        fields.report(wrong_shape(node, "1 到 100", "a number from 1 to 100"));
    }
    fields.finish();
    Some(Traces { endpoint: endpoint?, authority: authority?, percent })
}

/// A list of words that are known.
fn words<T: Copy>(fields: &mut Fields<'_>, key: &'static str, known: &[(&str, T)]) -> Vec<T> {
    let mut found = Vec::new();
    for (text, place) in fields.texts(key) {
        match known.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => found.push(*value),
            None => {
                let words = known.iter().map(|(word, _)| *word);
                let list = words.clone().collect::<Vec<_>>().join(", ");
                fields.report(
                    Diagnostic::new(&code::WRONG_SHAPE, format!("“{key}”里不能有“{text}”"), format!("`{key}` cannot hold `{text}`"))
                        .at(place)
                        .did_you_mean(&text, words)
                        .help(format!("可用的值: {list}"), format!("one of: {list}")),
                );
            }
        }
    }
    found
}

fn api_key(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<ApiKey> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (id, name) = (required_text(&mut fields, "id"), required_text(&mut fields, "name"));
    let digest = fields.required("sha256").and_then(|node| {
        let digest = node.text().and_then(hex::exactly);
        if digest.is_none() {
            let told = wrong_shape(node, "密钥的 SHA-256, 64 个十六进制字符", "the SHA-256 of the key, 64 hexadecimal digits")
                .help("mianshen serve --new-key 会给出密钥和它的摘要", "mianshen serve --new-key gives a key with its digest");
            fields.report(told);
        }
        digest
    });
    let grant = grant(&mut fields);
    fields.finish();
    Some(ApiKey { id: id?, name: name?, digest: digest?, grant })
}

fn grant(fields: &mut Fields<'_>) -> Grant {
    let roles = words(fields, "roles", Role::WORDS);
    if roles.is_empty() {
        fields.required("roles");
    }
    let texts = |fields: &mut Fields<'_>, key| fields.texts(key).into_iter().map(|(text, _)| text).collect();
    let mut subjects = Vec::new();
    for node in fields.list("subjects") {
        subjects.extend(subject(node, fields.diagnostics()));
    }
    Grant {
        roles,
        regions: texts(fields, "regions"),
        departments: texts(fields, "departments"),
        purposes: texts(fields, "purposes"),
        subjects,
    }
}

fn subject(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<(SubjectKind, String)> {
    let mut fields = Fields::new(node, diagnostics)?;
    fields.required("kind");
    let (kind, id) = (fields.choice("kind", KINDS), required_text(&mut fields, "id"));
    fields.finish();
    Some((kind?, id?))
}

fn purpose(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Purpose> {
    let mut fields = Fields::new(node, diagnostics)?;
    let id = required_text(&mut fields, "id");
    fields.required("label");
    let label = fields.message("label");
    let facts = fields.texts("facts").into_iter().map(|(text, _)| text).collect();
    let unmasked = fields.choice("unmasked", YES_OR_NO).unwrap_or(false);
    let roles = words(&mut fields, "roles", Role::WORDS);
    if roles.is_empty() {
        fields.required("roles");
    }
    fields.finish();
    Some(Purpose { id: id?, label: label?, facts, unmasked, roles })
}

fn limits(node: &Node, limits: &mut Limits, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    whole_number(&mut fields, "body_bytes", &mut limits.body);
    whole_number(&mut fields, "bulk_body_bytes", &mut limits.bulk_body);
    seconds(&mut fields, "timeout_seconds", &mut limits.timeout);
    seconds(&mut fields, "bulk_timeout_seconds", &mut limits.bulk_timeout);
    seconds(&mut fields, "head_timeout_seconds", &mut limits.head_timeout);
    whole_number(&mut fields, "connections", &mut limits.connections);
    whole_number(&mut fields, "in_flight", &mut limits.in_flight);
    whole_number(&mut fields, "per_second", &mut limits.per_second);
    whole_number(&mut fields, "burst", &mut limits.burst);
    whole_number(&mut fields, "simulations", &mut limits.simulations);
    fields.finish();
}

fn whole_number<T: TryFrom<i64>>(fields: &mut Fields<'_>, key: &'static str, value: &mut T) {
    let Some(node) = fields.optional(key) else { return };
    let Some(number) = fields.integer(key) else { return };
    match T::try_from(number) {
        Ok(number_of) if number > 0 => *value = number_of,
        _ => fields.report(wrong_shape(node, "一个大于零的整数", "a whole number above zero")),
    }
}

fn seconds(fields: &mut Fields<'_>, key: &'static str, value: &mut Duration) {
    let mut number = u32::try_from(value.as_secs()).unwrap_or(u32::MAX);
    whole_number(fields, key, &mut number);
    *value = Duration::from_secs(u64::from(number));
}

fn log(node: &Node, log: &mut Log, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    if let Some(json) = fields.choice("format", &[("json", true), ("text", false)]) {
        log.json = json;
    }
    if let Some(node) = fields.optional("filter") {
        match node.text().filter(|text| tracing_subscriber::EnvFilter::builder().parse(text).is_ok()) {
            Some(filter) => filter.clone_into(&mut log.filter),
            None => fields.report(wrong_shape(node, "日志级别, 如 mianshen=info", "a log filter such as mianshen=info")),
        }
    }
    fields.finish();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, Vec<Diagnostic>> {
        Settings::read(&SourceFile::new("conf/serve.yaml", text))
    }

    #[track_caller]
    fn faults(text: &str, expected: &[(&str, &str)]) {
        let told = read(text).expect_err("the settings are faulty");
        let told: Vec<(&str, &str)> =
            told.iter().map(|one| (one.code.name, one.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_said_is_the_sample_on_this_machine() {
        let settings = read("").expect("no mistake");
        assert!(settings.listen.ip().is_loopback() && !settings.has_identities());
        assert_eq!(settings.policies, Path::new("policies"));
    }

    #[test]
    fn what_is_said_is_taken() {
        let digest = "00".repeat(31) + "ff";
        let text = format!(
            "listen: 0.0.0.0:9000\nstore: sqlite:city.db\napi_keys:\n- {{id: desk, name: 李丽, sha256: {digest}, roles: [handler], regions: ['990101']}}\nlimits: {{per_second: 5, timeout_seconds: 3}}\nlog: {{format: json}}\n"
        );
        let settings = read(&text).expect("no mistake");
        assert_eq!(settings.store, Address::Sqlite("conf/city.db".into()));
        assert_eq!((settings.api_keys[0].digest[31], &*settings.api_keys[0].grant.regions[0]), (255, "990101"));
        assert_eq!((settings.limits.per_second, settings.limits.timeout), (5, Duration::from_secs(3)));
        assert!(settings.log.json);
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        faults("listn: 127.0.0.1:80\n", &[("unknown-key", "listn")]);
        faults("listen: localhost\n", &[("wrong-shape", "localhost")]);
        faults("listen: 0.0.0.0:80\n", &[("settings-invalid", "0.0.0.0:80")]);
        faults("limits: {burst: 0}\n", &[("wrong-shape", "0")]);
        faults("store: postgres://a:b@c/d\n", &[("settings-invalid", "postgres://a:b@c/d")]);
        faults("api_keys: [{id: a, name: b, sha256: 12, roles: [boss]}]\n", &[("wrong-shape", "12"), ("wrong-shape", "boss")]);
        faults("issuers: [{issuer: a, audience: b, keys: none.pem}]\n", &[("settings-invalid", "none.pem")]);
    }

    #[test]
    fn keys_come_from_one_place() {
        let of = |rest: &str| read(&format!("issuers: [{{issuer: 'https://id.example/', audience: b, {rest}}}]\n"));
        let at = |rest: &str| match &of(rest).expect("no mistake").issuers[0].keys {
            Keys::At(at) => (at.address.to_string(), at.is_discovered),
            Keys::File(_) => panic!("no file"),
        };
        assert_eq!(at("keys_url: 'https://id.example/jwks'"), ("https://id.example/jwks".to_owned(), false));
        assert_eq!(at("discovery: true"), ("https://id.example/.well-known/openid-configuration".to_owned(), true));
        for (rest, place) in [
            ("keys_url: 'http://id.example/jwks'", "http://id.example/jwks"),
            ("keys_url: 'https://a:b@id.example/jwks'", "https://a:b@id.example/jwks"),
            ("keys_url: 'https://id.example/jwks', discovery: true", "true"),
            ("discovery: true, ca: none.pem", "none.pem"),
        ] {
            let told = of(rest).expect_err("refused");
            let places: Vec<&str> = told.iter().filter_map(|one| Some(one.primary.as_ref()?.text())).collect();
            assert!(places.iter().any(|text| text.trim_matches('\'') == place), "{rest}: {places:?}");
        }
        assert!(of("discovery: false").is_err() && of("algorithms: [ES256]").is_err());
    }

    #[test]
    fn traces_go_where_it_is_said() {
        let settings = read("traces: {endpoint: 'http://127.0.0.1:4318/v1/traces', percent: 10}\n").expect("no mistake");
        let traces = settings.traces.expect("traces");
        assert_eq!((traces.endpoint.as_str(), traces.percent), ("http://127.0.0.1:4318/v1/traces", 10));
        faults("traces: {endpoint: 'http://collector.example/v1/traces'}\n", &[("wrong-shape", "'http://collector.example/v1/traces'")]);
        faults("traces: {percent: 10}\n", &[("missing-key", "percent")]);
        faults("traces: {endpoint: 'https://collector.example/', percent: 200}\n", &[("wrong-shape", "200")]);
    }

    #[test]
    fn symmetric_algorithms_and_none_are_not_to_be_had() {
        for word in ["HS256", "none"] {
            let text = format!("issuers: [{{issuer: a, audience: b, keys: x.pem, algorithms: [{word}]}}]\n");
            assert!(read(&text).expect_err("refused").iter().any(|one| one.primary.as_ref().is_some_and(|place| place.text() == word)));
        }
    }
}
