//! How many files the process may have open: each connection is one.

/// Lets the process have as many files open as are wanted, as far as the system allows it; gives how many it may have open
/// now, none where that is not known.
#[must_use]
pub(super) fn raise(wanted: usize) -> Option<usize> {
    #[cfg(target_os = "linux")]
    return linux::raise(wanted);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = wanted;
        None
    }
}

#[cfg(target_os = "linux")]
mod linux {
    /// See above.
    #[expect(unsafe_code, reason = "getrlimit and setrlimit read and write one struct that is ours; held by the test below")]
    pub(super) fn raise(wanted: usize) -> Option<usize> {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the pointer is to a whole struct of ours, which lives on (getrlimit(2)).
        if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
            return None;
        }
        let wanted = libc::rlim_t::try_from(wanted).unwrap_or(libc::rlim_t::MAX);
        if limit.rlim_cur < wanted {
            let raised = libc::rlimit { rlim_cur: wanted.min(limit.rlim_max), rlim_max: limit.rlim_max };
            // SAFETY: as above; the soft limit is never set above the hard one (setrlimit(2)).
            if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
                limit = raised;
            }
        }
        Some(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let first = raise(1).expect("known");
        let more = raise(first.saturating_add(1)).expect("known");
        assert!(more >= first && raise(1) == Some(more));
        let told = std::fs::read_to_string("/proc/self/limits").expect("the system tells");
        let line = told.lines().find(|line| line.starts_with("Max open files")).expect("told");
        let soft = line.split_whitespace().nth(3).expect("a number");
        assert!(soft == "unlimited" || soft == more.to_string(), "{line}, and {more}");
    }
}
