//! Tables for the terminal: Chinese counts as two columns, numbers stand right with thousands, and no colour is needed.

use comfy_table::{CellAlignment, ContentArrangement, TableComponent, presets};

use crate::eligibility::grant::amount_text;
use crate::explain::value::grouped;

/// On which side the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// Rows under headings.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// One for each column.
    pub headings: Vec<String>,
    /// On which side each column stands; left where nothing is said.
    pub align: Vec<Align>,
    /// Cells, one for each column.
    pub rows: Vec<Vec<String>>,
    /// The last row, set off by a line: sums.
    pub total: Option<Vec<String>>,
}

impl Table {
    /// A table without rows yet.
    #[must_use]
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let (headings, align) = columns.iter().map(|(heading, align)| ((*heading).to_owned(), *align)).unzip();
        Self { headings, align, rows: Vec::new(), total: None }
    }

    /// Adds a row.
    pub fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table as text that ends with a line break. Cells are broken into lines where the table is wider than `width`
    /// columns of a terminal; with `color`, headings and total are bold.
    #[must_use]
    pub fn render(&self, width: Option<u16>, color: bool) -> String {
        let mut table = comfy_table::Table::new();
        table.load_preset(presets::NOTHING);
        table.set_style(TableComponent::HeaderLines, '─').set_style(TableComponent::MiddleHeaderIntersections, '─');
        if let Some(width) = width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.set_header(&self.headings);
        table.add_rows(&self.rows);
        if let Some(total) = &self.total {
            table.add_row(total);
        }
        // A delimiter and this padding: two columns between cells.
        let last = self.headings.len().saturating_sub(1);
        for (at, (column, align)) in table.column_iter_mut().zip(&self.align).enumerate() {
            column.set_padding((0, u16::from(at < last)));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.joined(&lines, color)
    }

    /// The lines, with a second rule above the total, and bold where that is asked for.
    fn joined(&self, lines: &[String], color: bool) -> String {
        let is_rule = |line: &str| !line.is_empty() && line.chars().all(|character| character == '─');
        let rule = lines.iter().position(|line| is_rule(line)).unwrap_or(0);
        let total = if self.total.is_some() { lines.len().saturating_sub(1) } else { lines.len() };
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            if at == total {
                text.push_str(&lines[rule]);
                text.push('\n');
            }
            if color && (at < rule || at >= total) {
                text.extend(["\x1b[1m", line.as_str(), "\x1b[0m"]);
            } else {
                text.push_str(line);
            }
            text.push('\n');
        }
        text
    }
}

/// A count with thousands: `12,345`.
#[must_use]
pub fn count(number: u64) -> String {
    grouped(&number.to_string())
}

/// An amount in hundredths with thousands and two places: `1,234.50`.
#[must_use]
pub fn amount(hundredths: i64) -> String {
    grouped(&amount_text(hundredths))
}

#[cfg(test)]
mod tests {
    //! Widths, sides and totals.

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&[("事项", Align::Left), ("yes", Align::Right), ("amount", Align::Right)]);
        table.push(["高龄津贴".to_owned(), count(12_345), amount(123_450)]);
        table.push(["Rent".to_owned(), count(7), amount(-5)]);
        table
    }

    #[test]
    fn chinese_takes_two_columns_and_numbers_stand_right() {
        let expected = "\
事项         yes    amount
──────────────────────────
高龄津贴  12,345  1,234.50
Rent           7     -0.05
";
        assert_eq!(table().render(None, false), expected);
    }

    #[test]
    fn a_total_is_set_off() {
        let mut table = table();
        table.total = Some(vec!["合计".to_owned(), count(12_352), amount(123_445)]);
        let text = table.render(None, true);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[4], lines[1]);
        assert_eq!(lines[5], "\x1b[1m合计      12,352  1,234.45\x1b[0m");
        assert!(lines[0].starts_with("\x1b[1m"));
    }

    #[test]
    fn a_narrow_terminal_breaks_cells() {
        let text = table().render(Some(24), false);
        assert!(text.lines().all(|line| unicode_width::UnicodeWidthStr::width(line) <= 24), "{text}");
    }
}
