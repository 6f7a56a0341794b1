//! Who holds the lease: the name of this process, which no other has, and whether one of this machine is gone.
//!
//! A process that was killed leaves its lease behind. One on the same machine that finds it so need not wait until the lease ends;
//! whether the other is there is told only where both see the same processes.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rand::TryRng;
use rand::rngs::SysRng;

/// What begins the names of holders.
const WORD: &str = "stream";

/// The name of this process: since when the machine runs, the namespace and number of the process, and when it began. Where the
/// system does not tell these, a random one, which is never found to be gone.
#[must_use]
pub fn own() -> String {
    let pid = std::process::id();
    match (here(), began(pid)) {
        (Some(here), Ok(Began { at, .. })) => format!("{WORD} {here} {pid} {at}"),
        _ => {
            let mut bytes = [0_u8; 8];
            // Without random numbers the number of the process must do.
            let _ = SysRng.try_fill_bytes(&mut bytes);
            format!("{WORD} {pid} {:016x}", u64::from_le_bytes(bytes))
        }
    }
}

/// Whether a holder was a process of this machine and is no more. False where that cannot be told.
#[must_use]
pub fn is_gone(holder: &str) -> bool {
    let parts: Vec<&str> = holder.split(' ').collect();
    let [WORD, boot, namespace, pid, at] = parts[..] else { return false };
    let (Ok(pid), Ok(at), Some(here)) = (pid.parse::<u32>(), at.parse::<u64>(), here()) else { return false };
    // Where the first process is hidden, so may others be.
    if here != format!("{boot} {namespace}") || !Path::new("/proc/1").exists() {
        return false;
    }
    match began(pid) {
        Ok(found) => found.is_over || found.at != at,
        // One that may not be looked at is there.
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Since when the machine runs, and which processes are seen.
fn here() -> Option<String> {
    // Where this is not our own number, the processes seen are not those of our namespace.
    if fs::read_link("/proc/self").ok()?.to_str()? != std::process::id().to_string() {
        return None;
    }
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.to_str()?))
}

/// When a process began, in ticks since the machine runs.
struct Began {
    at: u64,
    /// It has ended, and nobody has asked how.
    is_over: bool,
}

/// Not found where there is no such process.
fn began(pid: u32) -> io::Result<Began> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let read = || {
        // The name stands in parentheses, and may hold anything.
        let mut fields = text[text.rfind(')')? + 1..].split_ascii_whitespace();
        let is_over = matches!(fields.next()?, "Z" | "X");
        Some(Began { at: fields.nth(18)?.parse().ok()?, is_over })
    };
    read().ok_or_else(|| io::Error::from(ErrorKind::InvalidData))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn who_is_there_is_told_from_who_is_gone() {
        let own = own();
        assert!(!is_gone(&own), "{own}");
        let mut child = Command::new("sleep").arg("600").spawn().expect("a process");
        let (here, pid) = (here().expect("this system tells"), child.id());
        let at = began(pid).expect("it is there").at;
        let name = format!("{WORD} {here} {pid} {at}");
        assert!(!is_gone(&name));
        assert!(is_gone(&format!("{WORD} {here} {pid} {}", at + 1)), "another process has its number now");
        assert!(!is_gone(&format!("{WORD} elsewhere {pid} {}", at + 1)), "of another machine nothing is known");
        child.kill().expect("killed");
        // Nobody has asked yet how it ended.
        for _ in 0..500 {
            if is_gone(&name) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert!(is_gone(&name));
        child.wait().expect("gone");
        assert!(is_gone(&name));
        for other in ["stream-1", "me", "", "stream 1 0123456789abcdef"] {
            assert!(!is_gone(other), "{other}");
        }
    }
}
