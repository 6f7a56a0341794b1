//! Secrets: settings say where they are, a file or a variable of the environment, and never hold one.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::invalid;
use crate::diagnostic::{Diagnostic, code};
use crate::yaml::{Fields, Node};

/// A secret; never told.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    /// Of bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// The secret of a pair of keys, the one for a file and the one for a variable of the environment: all that is there but the
/// space around it, at least so many bytes. None where neither key is there, and where it cannot be read, which is told.
pub fn optional_secret(fields: &mut Fields<'_>, folder: &Path, [file, env]: [&'static str; 2], least: usize) -> Option<Secret> {
    let (node, read) = match (fields.optional(file), fields.optional(env)) {
        (None, None) => return None,
        (Some(_), Some(node)) => {
            fields.report(invalid(node, format!("{file} 和 {env} 只能写一个"), format!("`{file}` and `{env}` exclude each other")));
            return None;
        }
        (Some(node), None) => {
            let path = fields.required_text(file)?;
            (node, std::fs::read(folder.join(path)).map_err(|error| error.to_string()))
        }
        (None, Some(node)) => {
            let name = fields.required_text(env)?;
            let value = std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes);
            (node, value.ok_or_else(|| "no such variable of the environment".to_owned()))
        }
    };
    let told = match read.as_deref().map(<[u8]>::trim_ascii) {
        Ok([]) => invalid(node, "这里没有密钥: 是空的", "there is no secret here: it is empty"),
        Ok(bytes) if bytes.len() < least => {
            invalid(node, format!("密钥太短, 至少 {least} 字节"), format!("the secret is too short: at least {least} bytes"))
                .help("用 openssl rand -hex 32 生成", "make one with openssl rand -hex 32")
        }
        Ok(bytes) => return Some(Secret::new(bytes)),
        Err(error) => invalid(node, format!("读不了这个密钥: {error}"), format!("this secret cannot be read: {error}")),
    };
    fields.report(told);
    None
}

/// The same where there must be one.
pub fn required_secret(fields: &mut Fields<'_>, folder: &Path, keys: [&'static str; 2], least: usize) -> Option<Secret> {
    if keys.iter().all(|key| fields.optional(key).is_none()) {
        fields.required(keys[0]);
        return None;
    }
    optional_secret(fields, folder, keys, least)
}

/// A setting of the Kafka client, `{name, value}`. What is secret stands in a file or in the environment:
/// `{name, value_file}`, `{name, value_env}`.
pub fn option(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<(String, Secret)> {
    const KEYS: [&str; 2] = ["value_file", "value_env"];
    let mut fields = Fields::new(node, told)?;
    let name = fields.required_text("name");
    let is_elsewhere = KEYS.iter().any(|key| fields.optional(key).is_some());
    let value = match (fields.optional("value"), is_elsewhere) {
        (Some(node), false) if name.as_deref().is_some_and(is_secret) => {
            let told = invalid(node, "密码不能写在设置里", "a password does not belong into the settings");
            fields.report(told.help(
                "写进一个文件, 用 value_file 指明; 或放进环境变量, 用 value_env 指明",
                "put it into a file and name that with value_file, or into the environment and name the variable with value_env",
            ));
            None
        }
        (Some(_), false) => fields.text("value").map(Secret::new),
        (None, true) => optional_secret(&mut fields, folder, KEYS, 1),
        (_, _) => {
            let place = fields.span();
            let (zh, en) = ("写 value、value_file、value_env 之一", "one of value, value_file and value_env");
            fields.report(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).at(place));
            None
        }
    };
    fields.finish();
    Some((name?, value?))
}

/// Whether a setting of librdkafka is secret: passwords, passphrases and secrets of clients, private keys.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["password", "passphrase", "secret"].iter().any(|word| name.contains(word)) || name.ends_with("key.pem")
}
