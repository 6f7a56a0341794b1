//! `LIKE`, and looking up what was found out about the distinct values of a text.

use super::compare::pack;

/// SQL `LIKE`: `%` stands for any characters, `_` for one; no escape.
pub(in super::super) fn matches_like(value: &str, pattern: &str) -> bool {
    let (mut rest, mut pattern) = (value.chars(), pattern.chars());
    // where to go on when a later part does not fit: after the last `%`, one character further
    let mut retry: Option<(std::str::Chars<'_>, std::str::Chars<'_>)> = None;
    loop {
        let (mut next, mut next_pattern) = (rest.clone(), pattern.clone());
        match (next_pattern.next(), next.next()) {
            (Some('%'), _) => {
                retry = Some((rest.clone(), next_pattern.clone()));
                pattern = next_pattern;
                continue;
            }
            (Some(wanted), Some(found)) if wanted == '_' || wanted == found => {
                (rest, pattern) = (next, next_pattern);
                continue;
            }
            (None, None) => return true,
            _ => {}
        }
        let Some((from, after)) = &mut retry else { return false };
        if from.next().is_none() {
            return false;
        }
        (rest, pattern) = (from.clone(), after.clone());
    }
}

/// Sets the rows whose key passes; `passes` has one entry per key.
pub(in super::super) fn lookup(keys: &[u32], passes: &[bool], out: &mut [u64]) {
    let mut positions = passes.iter().enumerate().filter(|(_, passes)| **passes).map(|(key, _)| key);
    match (positions.next(), positions.next()) {
        (None, _) => out.fill(0),
        (Some(only), None) => pack(keys, out, |key| key as usize == only),
        _ => pack(keys, out, |key| passes.get(key as usize).copied().unwrap_or(false)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_is_exact_on_characters() {
        for (value, pattern, expected) in [
            ("样例省样例市", "样例%市", true),
            ("样例省", "样例_", true),
            ("样例", "样例_", false),
            ("abc", "abc", true),
            ("abc", "ABC", false),
            ("", "", true),
            ("", "%", true),
            ("a", "", false),
            ("aab", "%ab", true),
            ("abab", "%ab", true),
            ("ababc", "%ab", false),
            ("aXbXc", "a%b%c", true),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("100%", "100_", true),
            ("mississippi", "m%iss%ip%i", true),
            ("mississippi", "m%iss%ip%x", false),
            ("ab", "_%_", true),
            ("a", "_%_", false),
            ("é", "_", true),
        ] {
            assert_eq!(matches_like(value, pattern), expected, "{value:?} like {pattern:?}");
        }
    }
}
