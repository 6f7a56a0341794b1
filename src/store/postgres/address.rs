//! The URL of a database: read for connecting, and told without secrets.

use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::store::StoreError;

/// The settings of a URL; a password that it does not hold comes from `PGPASSWORD`.
pub(super) fn config(url: &str) -> Result<Config, StoreError> {
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
    Ok(config)
}

/// What may be told of a URL: user, host, port and database.
pub(in crate::store) fn place(url: &str) -> String {
    let Ok(config) = url.parse::<Config>() else { return "postgres://…".to_owned() };
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
