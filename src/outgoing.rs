//! Requests that the program itself makes: to issuers for their keys, to collectors of traces, to receivers of messages. Over
//! TLS, straight, and short.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client};
use url::{Host, Url};

/// Makes what encrypts known to the process, once; what is there already stays.
pub fn encryption() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// Whether an address may be asked: over TLS, or on this machine.
#[must_use]
pub fn may_be_asked(address: &Url) -> bool {
    let is_here = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    address.scheme() == "https" || (address.scheme() == "http" && is_here)
}

/// The authorities in a PEM file.
///
/// # Errors
///
/// When the file cannot be read, or holds no certificate.
pub fn authorities(path: &Path) -> Result<Vec<Certificate>, String> {
    let shown = path.display();
    let pem = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|error| format!("{shown}: {}", plain(&error)))?;
    if found.is_empty() { Err(format!("{shown}: no certificate (PEM)")) } else { Ok(found) }
}

/// A client that trusts the authorities in a PEM file and nobody else; without one, those that the system trusts. It follows
/// no redirections and asks no proxy: what it sends goes where the settings say, and nowhere else.
///
/// # Errors
///
/// As [`authorities`].
pub fn client(authority: Option<&Path>, within: Duration) -> Result<Client, String> {
    encryption();
    let mut builder = Client::builder()
        .timeout(within)
        .connect_timeout(within)
        .redirect(Policy::none())
        .no_proxy()
        .user_agent(concat!("mianshen/", env!("CARGO_PKG_VERSION")));
    if let Some(path) = authority {
        builder = builder.tls_certs_only(authorities(path)?);
    }
    builder.build().map_err(|error| plain(&error))
}

/// An error in one line, with its causes (a certificate that is not trusted stands deep among them), without the address: it
/// may hold what is not to be logged.
#[must_use]
pub fn plain(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "no connection"
    } else {
        "failed"
    };
    let mut text = kind.to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_this_machine_is_asked() {
        let may = |text: &str| may_be_asked(&Url::parse(text).expect("an address"));
        assert!(may("https://id.example/keys") && may("http://127.0.0.1:1/keys") && may("http://localhost/") && may("http://[::1]:2/"));
        assert!(
            !may("http://id.example/keys") && !may("http://localhost.example/") && !may("file:///etc/passwd") && !may("http://10.0.0.1/")
        );
    }

    #[test]
    fn an_authority_must_be_a_certificate() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ca.pem");
        assert!(client(Some(&path), Duration::from_secs(1)).is_err(), "no such file");
        std::fs::write(&path, "nothing").expect("written");
        let told = client(Some(&path), Duration::from_secs(1)).expect_err("no certificate");
        assert!(told.contains("ca.pem"), "{told}");
        assert!(client(None, Duration::from_secs(1)).is_ok());
    }

    #[tokio::test]
    async fn what_failed_is_told_without_the_address() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let client = client(None, Duration::from_secs(5)).expect("a client");
        let error = client.get(format!("http://{gone}/hidden?key=hidden")).send().await.expect_err("nobody listens");
        let told = plain(&error);
        assert!(told.starts_with("no connection: ") && !told.contains("hidden"), "{told}");
    }
}
