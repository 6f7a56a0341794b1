//! `serve.yaml` read with the place of every mistake.

use std::path::Path;

use jsonwebtoken::Algorithm;

use super::settings::{ApiKey, Grant, Issuer, Keys, KeysAt, Limits, Log, Purpose, Role, Settings, Tls, Traces};
use crate::diagnostic::{Diagnostic, SourceFile, code, has_errors};
use crate::hex;
use crate::register::declaration::SubjectKind;
use crate::settings::{self, address_at, authority, file, invalid, listen_at, optional_secret};
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

impl Settings {
    /// Reads a settings file. Paths in it are those from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place; `path-missing` or `file-unreadable` where the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&settings::open(path, "docs/serve.md")?)
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
        settings.listen = listen_at(&mut fields, node).unwrap_or(settings.listen);
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
    settings.issuers = issuers(&mut fields, folder);
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
    settings.drain = fields.seconds("drain_seconds").unwrap_or(settings.drain);
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
    const KEYS: [&str; 2] = ["store_file", "store_env"];
    let (address, elsewhere) = (fields.optional("store"), fields.optional(KEYS[0]).or(fields.optional(KEYS[1])));
    if let (Some(_), Some(node)) = (address, elsewhere) {
        fields.report(invalid(node, "存储地址只能写一处", "the address of the store is given twice"));
    }
    if let Some((node, text)) = address.and_then(|node| Some((node, node.text()?))) {
        if Address::parse(text).is_ok_and(|address| address.has_password()) {
            let told = invalid(node, "密码不能写在设置里", "a password does not belong into the settings");
            fields.report(told.help(
                "把整个地址写进一个文件, 用 store_file 指明; 或放进环境变量, 用 store_env 指明",
                "put the whole address into a file and name that with store_file, or into the environment and name the variable with store_env",
            ));
        }
        store_at(fields, settings, folder, (node, text));
    }
    if let (Some(node), Some(secret)) = (elsewhere, optional_secret(fields, folder, KEYS, 1)) {
        store_at(fields, settings, folder, (node, &secret.text()));
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

fn tls(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Tls> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (certificate, key) = (file(&mut fields, "certificate", folder), file(&mut fields, "key", folder));
    fields.finish();
    Some(Tls { certificate: certificate?, key: key? })
}

fn issuers(fields: &mut Fields<'_>, folder: &Path) -> Vec<Issuer> {
    let mut known: Vec<Issuer> = Vec::new();
    for node in fields.list("issuers") {
        let Some(issuer) = issuer(node, folder, fields.diagnostics()) else { continue };
        if known.iter().any(|known| known.issuer != issuer.issuer && known.prefix == issuer.prefix) {
            let (zh, en) = (
                "两个签发方的人会相混: sub 相同的会当作同一个人",
                "people of two issuers would be mixed up: the same `sub` would be one person",
            );
            fields.report(invalid(node, zh, en).help(
                "给其中一个加上 prefix, 如 prefix: 'cas:', 以后不要再改",
                "give one of them a prefix, such as prefix: 'cas:', and do not change it later",
            ));
        }
        known.push(issuer);
    }
    known
}

fn issuer(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Issuer> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (issuer, audience) = (fields.required_text("issuer"), fields.required_text("audience"));
    let prefix = fields.text("prefix").unwrap_or_default();
    let keys = keys(&mut fields, folder, issuer.as_deref());
    let algorithms = fields.choices("algorithms", ALGORITHMS);
    fields.finish();
    let algorithms = if algorithms.is_empty() { vec![Algorithm::ES256, Algorithm::RS256, Algorithm::EdDSA] } else { algorithms };
    Some(Issuer { issuer: issuer?, audience: audience?, prefix, keys: keys?, algorithms })
}

/// One of `keys` (a file), `keys_url` (a set) and `discovery: true`.
fn keys(fields: &mut Fields<'_>, folder: &Path, issuer: Option<&str>) -> Option<Keys> {
    let (in_file, url) = (fields.optional("keys"), fields.optional("keys_url"));
    let discovery = fields.optional("discovery").filter(|_| fields.boolean("discovery") == Some(true));
    let ca = fields.optional("ca");
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
        if let Some(node) = ca {
            let (zh, en) = ("ca 只用于 keys_url 和 discovery", "ca is for keys_url and discovery");
            fields.report(invalid(node, zh, en));
        }
        return file(fields, "keys", folder).map(Keys::File);
    }
    let is_discovered = discovery.is_some();
    let text = if is_discovered {
        format!("{}/.well-known/openid-configuration", issuer?.trim_end_matches('/'))
    } else {
        one.text().unwrap_or_default().to_owned()
    };
    let address = address_at(fields, one, &text)?;
    let authority = authority(fields, "ca", folder).ok()?;
    Some(Keys::At(KeysAt { address, is_discovered, authority }))
}

fn traces(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<Traces> {
    let mut fields = Fields::new(node, diagnostics)?;
    let endpoint = fields.required("endpoint");
    let endpoint = endpoint.and_then(|node| address_at(&mut fields, node, node.text().unwrap_or_default()));
    let authority = authority(&mut fields, "ca", folder).ok();
    let percent = fields.number("percent").unwrap_or(100);
    if let Some(node) = fields.optional("percent").filter(|_| percent > 100) {
        fields.report(wrong_shape(node, "1 到 100", "a number from 1 to 100"));
    }
    fields.finish();
    Some(Traces { endpoint: endpoint?, authority: authority?, percent })
}

fn api_key(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<ApiKey> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (id, name) = (fields.required_text("id"), fields.required_text("name"));
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
    let roles = fields.choices("roles", Role::WORDS);
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
    let (kind, id) = (fields.choice("kind", &SubjectKind::WORDS), fields.required_text("id"));
    fields.finish();
    Some((kind?, id?))
}

fn purpose(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Purpose> {
    let mut fields = Fields::new(node, diagnostics)?;
    let id = fields.required_text("id");
    fields.required("label");
    let label = fields.message("label");
    let facts = fields.texts("facts").into_iter().map(|(text, _)| text).collect();
    let unmasked = fields.boolean("unmasked").unwrap_or(false);
    let roles = fields.choices("roles", Role::WORDS);
    if roles.is_empty() {
        fields.required("roles");
    }
    fields.finish();
    Some(Purpose { id: id?, label: label?, facts, unmasked, roles })
}

fn limits(node: &Node, limits: &mut Limits, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, diagnostics) else { return };
    limits.body = fields.number("body_bytes").unwrap_or(limits.body);
    limits.bulk_body = fields.number("bulk_body_bytes").unwrap_or(limits.bulk_body);
    limits.timeout = fields.seconds("timeout_seconds").unwrap_or(limits.timeout);
    limits.bulk_timeout = fields.seconds("bulk_timeout_seconds").unwrap_or(limits.bulk_timeout);
    limits.head_timeout = fields.seconds("head_timeout_seconds").unwrap_or(limits.head_timeout);
    limits.connections = fields.number("connections").unwrap_or(limits.connections);
    limits.in_flight = fields.number("in_flight").unwrap_or(limits.in_flight);
    limits.per_second = fields.number("per_second").unwrap_or(limits.per_second);
    limits.burst = fields.number("burst").unwrap_or(limits.burst);
    limits.simulations = fields.number("simulations").unwrap_or(limits.simulations);
    fields.finish();
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
    use std::time::Duration;

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
    fn people_of_two_issuers_stay_apart() {
        let of = |first: &str, second: &str| {
            let one = |rest: &str| format!("{{audience: b, keys_url: 'https://id.example/jwks', {rest}}}");
            read(&format!("issuers: [{}, {}]\n", one(first), one(second)))
        };
        let told = of("issuer: a", "issuer: c").expect_err("mixed up");
        assert!(told.len() == 1 && told[0].headline.en.contains("two issuers"), "{told:?}");
        assert!(of("issuer: a, prefix: 'x:'", "issuer: c, prefix: 'x:'").is_err());
        assert!(of("issuer: a", "issuer: c, prefix: 'c:'").is_ok());
        assert!(of("issuer: a", "issuer: a").is_ok(), "one issuer for two audiences");
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
        faults(
            "traces: {endpoint: 'http://collector.example/v1/traces'}\n",
            &[("settings-invalid", "'http://collector.example/v1/traces'")],
        );
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
