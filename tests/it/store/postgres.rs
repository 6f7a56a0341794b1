//! A PostgreSQL server of the test's own, on a socket in a temporary folder. It goes when the test ends, however it ends.

use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Place, TrailTables};

/// The account that the server runs under when the test is root's: PostgreSQL refuses root.
const NOBODY: u32 = 65_534;

pub(crate) struct Server {
    folder: TempDir,
    /// A shell that stops the server when its standard input ends.
    keeper: Child,
    /// Of the socket, where it is not the usual one.
    port: Option<u16>,
    /// Certificate and key, where it has such.
    settings: Option<TempDir>,
}

impl Server {
    /// Starts a server; none, and a line that says so, where PostgreSQL is not installed. With `MIANSHEN_NEED_POSTGRES=1` that
    /// is a failure.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&["listen_addresses="])
    }

    /// The same with a port of this machine besides the socket, which takes encrypted connections only.
    pub(crate) fn start_encrypted(port: u16, certificate: &Path, key: &Path) -> Option<Self> {
        let own = tempfile::Builder::new().prefix("pgtls").tempdir().expect("a temporary folder");
        let copy = |from: &Path| {
            let to = own.path().join(from.file_name().expect("a name"));
            std::fs::copy(from, &to).expect("copied");
            if is_root() {
                chown(&to, Some(NOBODY), Some(NOBODY)).expect("the file becomes nobody's");
            }
            // PostgreSQL takes no key that others can read.
            std::fs::set_permissions(&to, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("its own");
            to.display().to_string()
        };
        if is_root() {
            chown(own.path(), Some(NOBODY), Some(NOBODY)).expect("the folder becomes nobody's");
        }
        let rules = own.path().join("hba.conf");
        std::fs::write(&rules, "local all all trust\nhostssl all all all trust\n").expect("written");
        if is_root() {
            chown(&rules, Some(NOBODY), Some(NOBODY)).expect("the file becomes nobody's");
        }
        let settings = [
            "listen_addresses=localhost".to_owned(),
            format!("port={port}"),
            "ssl=on".to_owned(),
            format!("ssl_cert_file={}", copy(certificate)),
            format!("ssl_key_file={}", copy(key)),
            format!("hba_file={}", rules.display()),
        ];
        let mut server = Self::start_with(&settings.each_ref().map(String::as_str))?;
        server.port = Some(port);
        server.settings = Some(own);
        Some(server)
    }

    fn start_with(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("MIANSHEN_NEED_POSTGRES").is_none(), "PostgreSQL is not installed, and MIANSHEN_NEED_POSTGRES is set");
            eprintln!("LEFT OUT: PostgreSQL is not installed (initdb and postgres in PATH, or apt-get install postgresql)");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("pg").tempdir().expect("a temporary folder");
        let root = is_root();
        if root {
            chown(folder.path(), Some(NOBODY), Some(NOBODY)).expect("the folder becomes nobody's");
        }
        let command = |program: &str| {
            let mut command = Command::new(program);
            command.current_dir(folder.path()).env("LC_ALL", "C").stdout(Stdio::null()).stderr(Stdio::null());
            if root {
                command.uid(NOBODY).gid(NOBODY);
            }
            command
        };
        let program = |name: &str| programs.join(name).to_str().expect("a UTF-8 path").to_owned();
        let data = folder.path().join("data");
        let made = command(&program("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-A", "trust", "-U", "mianshen", "-E", "UTF8", "--locale=C", "--no-sync"])
            .status();
        assert!(made.expect("initdb runs").success(), "initdb made no cluster");
        let keeper = command("sh")
            .args(["-c", r#""$0" "$@" & pid=$!; cat; kill -INT $pid; wait $pid"#])
            .arg(program("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(folder.path())
            .args(["-c", "fsync=off"])
            .args(settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        Some(Self { folder, keeper, port: None, settings: None })
    }

    /// The URL of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.path().to_str().expect("a UTF-8 path").replace('/', "%2F");
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("postgres://mianshen@{folder}{port}/{database}")
    }

    /// Connects to a database of the server, which may still be starting.
    async fn connect(&self, database: &str) -> tokio_postgres::Client {
        for _ in 0..600 {
            if let Ok((client, connection)) = tokio_postgres::connect(&self.url(database), tokio_postgres::NoTls).await {
                tokio::spawn(connection);
                return client;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server did not start within a minute");
    }

    /// A new database.
    pub(crate) async fn place(&self, name: &str) -> Place {
        let client = self.connect("postgres").await;
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database");
        let address = self.url(name);
        Place { trail: TrailTables::Postgres(address.clone()), address, folder: None }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        drop(self.settings.take());
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|data| data.uid() == 0)
}

/// The folder with `initdb` and `postgres`: one of `PATH`, or where Debian keeps the newest.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    let of_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let mut versions: Vec<PathBuf> = versions.collect();
    versions.sort_by_key(|path| path.parent().and_then(Path::file_name).and_then(|name| name.to_str()?.parse::<u32>().ok()));
    of_path.chain(versions.into_iter().rev()).find(|folder| has_both(folder))
}
