//! Requests that the server itself makes: to issuers for their keys, to collectors of traces. Over TLS, straight, and short.

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

/// A client that trusts the authorities in a PEM file and nobody else; without one, those that the system trusts. It follows
/// no redirections and asks no proxy.
///
/// # Errors
///
/// When the file cannot be read, or holds no certificate.
pub fn client(authority: Option<&Path>, within: Duration) -> Result<Client, String> {
    encryption();
    let mut builder = Client::builder().timeout(within).connect_timeout(within).redirect(Policy::none()).no_proxy();
    if let Some(path) = authority {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("{shown}: {error}"))?;
        let trusted = Certificate::from_pem_bundle(&pem).map_err(|error| format!("{shown}: {error}"))?;
        if trusted.is_empty() {
            return Err(format!("{shown}: PEM"));
        }
        builder = builder.tls_certs_only(trusted);
    }
    builder.build().map_err(|error| error.to_string())
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
        assert!(client(Some(&path), Duration::from_secs(1)).is_err(), "no certificate");
        assert!(client(None, Duration::from_secs(1)).is_ok());
    }
}
