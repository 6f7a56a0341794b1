//! All cases that pass a filter, however many: page by page.

use super::{CaseCursor, CaseFilter, CaseRow, Live};
use crate::store::StoreError;

/// Cases of a page where nobody asks for fewer.
const PAGE: usize = 2_048;

/// Goes through the cases that pass a filter, in its order. Each page is read at a moment of its own.
#[derive(Debug)]
pub struct CasePages<'a> {
    live: &'a dyn Live,
    filter: CaseFilter,
    is_over: bool,
}

impl<'a> CasePages<'a> {
    /// From the beginning, or from where the filter goes on; a filter with a limit has pages of that size.
    #[must_use]
    pub fn new(live: &'a dyn Live, filter: CaseFilter) -> Self {
        let limit = if filter.limit == 0 { PAGE } else { filter.limit };
        Self { live, filter: CaseFilter { limit, ..filter }, is_over: false }
    }

    /// The next page; none behind the last. No page is empty.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<Vec<CaseRow>>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let page = self.live.cases(&self.filter).await?;
        self.is_over = page.len() < self.filter.limit;
        self.filter.after = page.last().map(CaseRow::cursor);
        Ok((!page.is_empty()).then_some(page))
    }
}

impl CaseRow {
    /// Where a list goes on behind this case.
    #[must_use]
    pub fn cursor(&self) -> CaseCursor {
        CaseCursor { due: self.due, id: self.id.clone() }
    }
}
