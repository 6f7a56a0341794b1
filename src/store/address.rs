//! Where a store is: a file path, `sqlite:PATH`, or `postgres://…`. Passwords are read and never told.

use std::path::PathBuf;
use std::sync::Arc;

use super::postgres::PostgresStore;
use super::sqlite::SqliteStore;
use super::{Store, StoreError};

/// The address of a store.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// The head file of SQLite.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, with whatever secrets it holds.
    Postgres(String),
}

impl std::fmt::Debug for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Address({})", self.place())
    }
}

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, StoreError> {
        let bad = |what: &str| StoreError::BadAddress(what.to_owned());
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        match scheme {
            "postgres" | "postgresql" => Ok(Self::Postgres(text.to_owned())),
            "sqlite" => {
                let path = text["sqlite:".len()..].trim_start_matches("//");
                // Three slashes: an absolute path, as other programs write it.
                let path = if text.starts_with("sqlite:///") { format!("/{}", path.trim_start_matches('/')) } else { path.to_owned() };
                if path.is_empty() { Err(bad("sqlite:")) } else { Ok(Self::Sqlite(path.into())) }
            }
            // A letter and a colon begin a path on Windows.
            _ if scheme.len() > 1 && text[scheme.len()..].starts_with("://") => Err(bad(&format!("{scheme}://"))),
            _ if text.is_empty() => Err(bad("")),
            _ => Ok(Self::Sqlite(text.into())),
        }
    }

    /// Whether it holds a password.
    #[must_use]
    pub fn has_password(&self) -> bool {
        matches!(self, Self::Postgres(url) if super::postgres::has_password(url))
    }

    /// What may be told of it: no password.
    #[must_use]
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(path) => path.display().to_string(),
            Self::Postgres(url) => super::postgres::place(url),
        }
    }

    /// Opens the store, which must be there.
    ///
    /// # Errors
    ///
    /// When it is not there, is something else or newer, or cannot be read.
    pub async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        self.connect(false).await
    }

    /// Opens the store; where there is none, one is made.
    ///
    /// # Errors
    ///
    /// When what is there is something else or newer, or cannot be read or written.
    pub async fn make(&self) -> Result<Arc<dyn Store>, StoreError> {
        self.connect(true).await
    }

    async fn connect(&self, make: bool) -> Result<Arc<dyn Store>, StoreError> {
        match self {
            Self::Sqlite(path) => {
                let store = SqliteStore::open(path, make)?;
                Ok(Arc::new(store))
            }
            Self::Postgres(url) => Ok(Arc::new(PostgresStore::open(url, make).await?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, path: &str) {
        assert_eq!(Address::parse(text), Ok(Address::Sqlite(path.into())));
    }

    #[test]
    fn paths_are_sqlite() {
        check("city.db", "city.db");
        check("sqlite:city.db", "city.db");
        check("sqlite:///var/lib/city.db", "/var/lib/city.db");
        check("sqlite:/var/lib/city.db", "/var/lib/city.db");
        check("C:\\city.db", "C:\\city.db");
        check("名单:1", "名单:1");
    }

    #[test]
    fn other_schemes_are_refused() {
        assert_eq!(Address::parse("mysql://x"), Err(StoreError::BadAddress("mysql://".to_owned())));
        assert!(Address::parse("").is_err());
        assert!(Address::parse("sqlite:").is_err());
    }

    #[test]
    fn passwords_are_never_told() {
        for url in ["postgres://me:secret@host:5433/city", "postgresql://me:secret@host/city?password=secret", "postgres://:secret@[bad"] {
            let address = Address::parse(url).unwrap();
            assert!(!address.place().contains("secret"), "{}", address.place());
            assert!(!format!("{address:?}").contains("secret"));
        }
        assert_eq!(Address::parse("postgres://me:secret@host:5433/city").unwrap().place(), "postgres://me@host:5433/city");
    }
}
