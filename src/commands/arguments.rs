//! What must not stand among the arguments of the program: everybody on the machine can read them.

use std::ffi::OsString;

use crate::diagnostic::{Diagnostic, code};
use crate::store::Address;

/// Refuses arguments that hold a password: the address of a store is where one would stand.
pub(super) fn hold_no_password(arguments: impl IntoIterator<Item = OsString>) -> Result<(), Diagnostic> {
    let holds = |argument: OsString| {
        let Ok(argument) = argument.into_string() else { return false };
        let value = argument.strip_prefix("--").and_then(|named| named.split_once('=')).map_or(&*argument, |(_, value)| value);
        Address::parse(value).is_ok_and(|address| address.has_password())
    };
    if !arguments.into_iter().any(holds) {
        return Ok(());
    }
    let (zh, en) = (
        "密码不能写在命令行参数里: 本机所有人都看得到",
        "a password does not belong into an argument: everybody on the machine can read it",
    );
    Err(Diagnostic::new(&code::STORE_FAILED, zh, en).help("放进环境变量 PGPASSWORD", "put it into the environment: PGPASSWORD"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_found_wherever_they_stand() {
        let holds = |arguments: &[&str]| hold_no_password(arguments.iter().map(OsString::from)).is_err();
        assert!(!holds(&["mianshen", "match", "--store", "postgres://me@host/city", "--store=sqlite:a:b@c.db", "me:secret@host"]));
        assert!(!holds(&["--store", "postgres://me@host/city?sslmode=require", "--set", "a=b"]));
        for address in [
            "postgres://me:secret@host/city",
            "postgresql://me:secret@%2Frun%2Fpostgresql/city",
            "postgres://me@host/city?password=secret",
            "postgres://me:secret@one,two/city?sslmode=require",
        ] {
            assert!(holds(&["mianshen", "store", "info", "--store", address]), "{address}");
            assert!(holds(&["mianshen", "store", "info", &format!("--store={address}")]), "{address}");
        }
    }
}
