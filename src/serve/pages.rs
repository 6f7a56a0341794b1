//! Long lists, page by page: a cursor says where the next page begins.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;
use crate::hex;

/// The most entries of a page.
const MOST: usize = 1_000;

/// Entries of a page where nothing else is asked.
const USUAL: usize = 100;

/// Which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageOf {
    /// At most so many entries.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: Option<usize>,
    /// Where to go on: `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// The cursor of the next page; null: this is the last.
    pub next: Option<String>,
}

impl PageOf {
    /// How many entries.
    ///
    /// # Errors
    ///
    /// When it is none or too many.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit {
            None => Ok(USUAL),
            Some(limit) if (1..=MOST).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::bad_request(format!("limit 应在 1 与 {MOST} 之间"), format!("limit must lie between 1 and {MOST}"))),
        }
    }

    /// The key behind which to go on.
    ///
    /// # Errors
    ///
    /// When the cursor is none of ours.
    pub fn after(&self) -> Result<Option<String>, Problem> {
        self.cursor.as_deref().map(|cursor| key_of(cursor).ok_or_else(bad_cursor)).transpose()
    }
}

fn bad_cursor() -> Problem {
    Problem::bad_request("cursor 不是上一页给出的", "the cursor is not one that a page gave")
}

/// The cursor of a key: not to be read, not to be made by others.
#[must_use]
pub fn cursor_of(key: &str) -> String {
    hex::digits(key.as_bytes())
}

fn key_of(cursor: &str) -> Option<String> {
    String::from_utf8(hex::bytes(cursor)?).ok()
}

/// A page of entries that are in the order of their keys.
///
/// # Errors
///
/// When limit or cursor are wrong.
pub fn page<T>(asked: &PageOf, items: impl IntoIterator<Item = (String, T)>) -> Result<Page<T>, Problem> {
    let (limit, after) = (asked.limit()?, asked.after()?);
    let mut rest = items.into_iter().skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after)).peekable();
    let (mut page, mut last) = (Vec::new(), None);
    while page.len() < limit {
        let Some((key, item)) = rest.next() else { break };
        page.push(item);
        last = Some(key);
    }
    let next = rest.peek().and(last).map(|key| cursor_of(&key));
    Ok(Page { items: page, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(limit: usize) -> Vec<Vec<u8>> {
        let (mut cursor, mut found) = (None, Vec::new());
        loop {
            let asked = PageOf { limit: Some(limit), cursor };
            let items = (b'a'..=b'e').map(|letter| (char::from(letter).to_string(), letter));
            let page = page(&asked, items).expect("a page");
            found.push(page.items);
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }

    #[test]
    fn every_entry_is_on_one_page() {
        assert_eq!(pages(2), [b"ab".to_vec(), b"cd".to_vec(), b"e".to_vec()]);
        assert_eq!(pages(5), [b"abcde".to_vec()]);
        assert_eq!(pages(100).len(), 1);
    }

    #[test]
    fn cursors_of_others_are_refused() {
        for cursor in ["x", "zz", "f", "ff", "%00", "../.."] {
            let asked = PageOf { limit: None, cursor: Some(cursor.to_owned()) };
            assert!(asked.after().is_err(), "{cursor}");
        }
        for limit in [0, 1_001] {
            assert!(PageOf { limit: Some(limit), cursor: None }.limit().is_err());
        }
        assert_eq!(key_of(&cursor_of("990100-MZ-0007 样")).as_deref(), Some("990100-MZ-0007 样"));
    }
}
