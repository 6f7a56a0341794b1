//! The JSON Schema of `serve.yaml`, for editors; the words of choices are the reader's own.

use serde_json::{Map, Value, json};

use super::settings::Role;
use super::settings_from_yaml::ALGORITHMS;
use crate::register::declaration::SubjectKind;
use crate::yaml::schema::{defined, file, list, object, said, text, whole, words};

/// The schema of the settings of a server, JSON Schema 2020-12. It knows keys, shapes and words; whether files are there and
/// keys can be used is for `mianshen serve --check` to say.
#[must_use]
pub fn schema() -> Value {
    file("mianshen serve 服务设置", settings(), Map::new())
}

fn settings() -> Value {
    object(&[
        ("listen", said(text(), "地址:端口 / address and port, such as 127.0.0.1:8090")),
        ("policies", said(text(), "政策文件夹 / the folder of policies")),
        ("sources", said(text(), "数据源, 用于第一次匹配和模拟 / where the registers are, for the first run and simulations")),
        ("store", said(text(), "sqlite:路径 或 postgres://用户@主机/库名, 不含密码 / where the store is, without a password")),
        ("store_file", said(text(), "写有存储地址的文件 / a file that holds the address of the store")),
        ("store_env", said(text(), "存有存储地址的环境变量 / the variable that holds the address of the store")),
        ("tls", object(&[("certificate!", text()), ("key!", text())])),
        ("issuers", list(issuer())),
        ("api_keys", list(api_key())),
        ("purposes", list(purpose())),
        ("limits", limits()),
        ("log", object(&[("format", json!({"enum": ["json", "text"]})), ("filter", text())])),
        ("traces", object(&[("endpoint!", text()), ("ca", text()), ("percent", json!({"type": "integer", "minimum": 1, "maximum": 100}))])),
        ("drain_seconds", whole(1)),
    ])
}

fn issuer() -> Value {
    object(&[
        ("issuer!", said(text(), "令牌的 iss / the iss of its tokens")),
        ("audience!", said(text(), "令牌应有的 aud / the aud that its tokens must have")),
        ("prefix", said(text(), "加在 sub 前面, 使不同签发方的人不相混 / put before sub, so that people of two issuers stay apart")),
        ("keys", said(text(), "公钥文件: JWKS 或 PEM / a file of public keys, JWKS or PEM")),
        ("keys_url", said(text(), "签发方公布 JWKS 的地址 / where the issuer publishes its JWKS")),
        ("discovery", json!({"type": "boolean"})),
        ("ca", text()),
        ("algorithms", list(words(ALGORITHMS))),
    ])
}

fn api_key() -> Value {
    let digest = json!({"type": "string", "pattern": "^[0-9a-fA-F]{64}$"});
    object(&[
        ("id!", text()),
        ("name!", said(text(), "对使用负责的人的真实姓名 / the real name of who answers for its use")),
        ("sha256!", said(digest, "密钥的 SHA-256 / the SHA-256 of the key")),
        ("roles!", roles()),
        ("regions", list(text())),
        ("departments", list(text())),
        ("purposes", list(text())),
        ("subjects", list(object(&[("kind!", words(&SubjectKind::WORDS)), ("id!", text())]))),
    ])
}

fn purpose() -> Value {
    object(&[
        ("id!", text()),
        ("label!", defined("message")),
        ("facts", said(list(text()), "可见的事实, 末尾可用 * / the facts that it may see; * at the end stands for any rest")),
        ("unmasked", json!({"type": "boolean"})),
        ("roles!", roles()),
    ])
}

fn limits() -> Value {
    object(&[
        ("body_bytes", whole(1)),
        ("bulk_body_bytes", whole(1)),
        ("timeout_seconds", whole(1)),
        ("bulk_timeout_seconds", whole(1)),
        ("head_timeout_seconds", whole(1)),
        ("connections", whole(1)),
        ("in_flight", whole(1)),
        ("per_second", whole(1)),
        ("burst", whole(1)),
        ("simulations", whole(1)),
    ])
}

fn roles() -> Value {
    list(words(Role::WORDS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::settings::Settings;
    use super::schema;
    use crate::yaml::schema::known;

    /// Settings whose every mapping has the key `zz`.
    const SETTINGS: &str = "\
zz: 1
tls: {zz: 1}
issuers: [{zz: 1}]
api_keys: [{subjects: [{zz: 1}], zz: 1}]
purposes: [{zz: 1}]
limits: {zz: 1}
log: {zz: 1}
traces: {zz: 1}
";

    #[test]
    fn the_keys_are_those_that_the_reader_asks_for() {
        let known = known::read(SETTINGS, |file, _| Settings::read(file).err().unwrap_or_default());
        let mut written = BTreeSet::new();
        known::written(&schema(), &mut written);
        // Beside those of the settings: the two languages of a label.
        let others: BTreeSet<known::Keys> = [["en".to_owned(), "zh".to_owned()].into()].into();
        assert_eq!(written.difference(&known).cloned().collect::<BTreeSet<_>>(), others);
        assert_eq!(known.difference(&written).count(), 0);
    }
}
