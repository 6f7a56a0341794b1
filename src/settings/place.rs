//! Files and addresses that settings name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::invalid;
use crate::outgoing;
use crate::yaml::{Fields, Node, wrong_shape};

/// A file that must be there; its path from the folder of the settings.
pub fn file(fields: &mut Fields<'_>, key: &'static str, folder: &Path) -> Option<PathBuf> {
    let node = fields.required(key)?;
    let path = folder.join(fields.required_text(key)?);
    if let Err(error) = std::fs::File::open(&path) {
        fields.report(invalid(node, format!("读不了这个文件: {error}"), format!("this file cannot be read: {error}")));
        return None;
    }
    Some(path)
}

/// A file of certificates (PEM) that are trusted instead of the system's; none where there is no such key.
///
/// # Errors
///
/// When they cannot be used, which is told.
#[expect(clippy::result_unit_err, reason = "what is wrong is told at its place already")]
pub fn authority(fields: &mut Fields<'_>, key: &'static str, folder: &Path) -> Result<Option<PathBuf>, ()> {
    let Some(node) = fields.optional(key) else { return Ok(None) };
    let path = folder.join(fields.required_text(key).ok_or(())?);
    match outgoing::authorities(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) => {
            fields.report(invalid(node, format!("证书不能用: {error}"), format!("these certificates cannot be used: {error}")));
            Err(())
        }
    }
}

/// An address that the program may ask: over TLS, or on this machine. The text need not be that of the node.
pub fn address_at(fields: &mut Fields<'_>, node: &Node, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"));
    let Some(url) = url else {
        fields.report(wrong_shape(node, "网址, 如 https://host/path", "an address such as https://host/path"));
        return None;
    };
    if !url.username().is_empty() || url.password().is_some() {
        fields.report(invalid(node, "网址里不能有用户和密码", "a user and a password do not belong into an address"));
        return None;
    }
    if !outgoing::may_be_asked(&url) {
        let told = invalid(node, "只能经 https 送出", "this leaves over https only");
        fields.report(told.help("改为 https; 只有本机可用 http", "use https; http is for this machine only"));
        return None;
    }
    Some(url)
}

/// An address of this machine to listen on.
pub fn listen_at(fields: &mut Fields<'_>, node: &Node) -> Option<SocketAddr> {
    let address = node.text().and_then(|text| text.parse().ok());
    if address.is_none() {
        let told = wrong_shape(node, "地址和端口", "an address with a port");
        fields.report(told.help("如 127.0.0.1:8090 或 \"[::]:8090\"", "such as 127.0.0.1:8090 or \"[::]:8090\""));
    }
    address
}
