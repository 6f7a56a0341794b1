//! The URL of a database: read for connecting, and told without secrets.

use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::Host;
use url::form_urlencoded;

use super::tls::{Access, Encryption};
use crate::store::StoreError;

/// How to connect to the database of a URL; a password that it does not hold comes from `PGPASSWORD`.
pub(super) fn access(url: &str) -> Result<Access, StoreError> {
    let (url, encryption) = encryption(url)?;
    // What the driver says of a faulty URL may repeat parts of it.
    let mut config: Config = url.parse().map_err(|_| StoreError::BadAddress("postgres://…".to_owned()))?;
    if config.get_password().is_none()
        && let Ok(password) = std::env::var("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_application_name().is_none() {
        config.application_name("mianshen");
    }
    Access::new(config, &encryption)
}

/// What a URL says about encryption, and the URL without it: the driver does not know all of it.
fn encryption(url: &str) -> Result<(String, Encryption), StoreError> {
    let Some((place, query)) = url.split_once('?') else { return Ok((url.to_owned(), Encryption::Off)) };
    let (mut rest, mut mode, mut roots) = (Vec::new(), None, None);
    for part in query.split('&') {
        let (name, value) = form_urlencoded::parse(part.as_bytes()).next().unwrap_or_default();
        match &*name {
            "sslmode" => mode = Some(value.into_owned()),
            "sslrootcert" => roots = Some(value.into_owned()),
            _ => rest.push(part),
        }
    }
    let bad = |what: &str| StoreError::BadAddress(what.to_owned());
    let encryption = match (mode.as_deref(), roots) {
        (None | Some("disable"), None) => Encryption::Off,
        (Some("require"), None) => Encryption::AnyServer,
        (Some("require" | "verify-full"), Some(roots)) => Encryption::Verified(roots),
        (Some("verify-full"), None) => return Err(bad("sslmode=verify-full, sslrootcert=?")),
        (None | Some("disable"), Some(_)) => return Err(bad("sslrootcert, sslmode=?")),
        (Some(_), _) => return Err(bad("sslmode=disable | require | verify-full")),
    };
    let url = if rest.is_empty() { place.to_owned() } else { format!("{place}?{}", rest.join("&")) };
    Ok((url, encryption))
}

/// Whether a URL holds a password.
pub(in crate::store) fn has_password(url: &str) -> bool {
    let config = encryption(url).ok().and_then(|(url, _)| url.parse::<Config>().ok());
    config.is_some_and(|config| config.get_password().is_some())
}

/// What may be told of a URL: user, host, port and database.
pub(in crate::store) fn place(url: &str) -> String {
    let config = encryption(url).ok().and_then(|(url, _)| url.parse::<Config>().ok());
    let Some(config) = config else { return "postgres://…".to_owned() };
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        Some(Host::Unix(path)) => path_text(path),
        None => "localhost".to_owned(),
    };
    let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
    let port = config.get_ports().first().map(|port| format!(":{port}")).unwrap_or_default();
    let database = config.get_dbname().map(|name| format!("/{name}")).unwrap_or_default();
    format!("postgres://{user}{host}{port}{database}")
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, rest: &str, expect: Encryption) {
        let (url, told) = encryption(&format!("postgres://u@h/d{query}")).unwrap();
        assert_eq!((url, told), (format!("postgres://u@h/d{rest}"), expect));
    }

    #[test]
    fn encryption_is_read_and_what_else_there_is_stays() {
        check("", "", Encryption::Off);
        check("?connect_timeout=3&sslmode=disable", "?connect_timeout=3", Encryption::Off);
        check("?sslmode=require", "", Encryption::AnyServer);
        let verified = || Encryption::Verified("/etc/库/ca 1.pem".to_owned());
        check("?sslrootcert=%2Fetc%2F%E5%BA%93%2Fca+1.pem&a=b&sslmode=verify-full", "?a=b", verified());
        check("?sslmode=require&sslrootcert=/etc/库/ca%201.pem", "", verified());
    }

    #[test]
    fn what_would_not_be_as_safe_as_it_reads_is_refused() {
        for query in
            ["sslmode=prefer", "sslmode=verify-ca", "sslmode=verify-full", "sslrootcert=x.pem", "sslmode=", "sslmode=disable&sslrootcert=x"]
        {
            let told = encryption(&format!("postgres://me:secret@h/d?{query}"));
            assert!(matches!(told, Err(StoreError::BadAddress(ref what)) if !what.contains("secret")), "{query}: {told:?}");
        }
        assert_eq!(place("postgres://me:secret@h/d?sslmode=verify-full&sslrootcert=x"), "postgres://me@h:5432/d");
        assert!(access("postgres://h/d?sslmode=verify-full&sslrootcert=/no/such/file.pem").is_err());
    }
}
