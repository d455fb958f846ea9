//! Tables for people: left-aligned columns that grow with what is in them, in the widths that Kafka's tools begin with.

/// What stands where nothing is known.
pub(super) const MISSING: &str = "-";

pub(super) struct Table {
    columns: Vec<(&'static str, usize)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Headers with their least widths.
    pub(super) fn new(columns: &[(&'static str, usize)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells);
    }

    /// Lines that end with a line break each. The last column is as wide as its cells.
    pub(super) fn lines(&self) -> String {
        let headers: Vec<String> = self.columns.iter().map(|(header, _)| (*header).to_owned()).collect();
        let all = || std::iter::once(&headers).chain(&self.rows);
        let widths: Vec<usize> = (0..headers.len())
            .map(|column| {
                let widest = all().map(|row| row[column].chars().count()).max().unwrap_or_default();
                widest.max(self.columns[column].1)
            })
            .collect();
        let mut text = String::new();
        for row in all() {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            text += cells.join(" ").trim_end();
            text.push('\n');
        }
        text
    }
}

/// A cell for what may be missing.
pub(super) fn cell(value: Option<impl std::fmt::Display>) -> String {
    value.map_or_else(|| MISSING.to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_grow_with_their_cells() {
        let mut table = Table::new(&[("A", 3), ("B", 0)]);
        table.row(vec!["long".to_owned(), "1".to_owned()]);
        table.row(vec!["é".to_owned(), cell(None::<i32>)]);
        assert_eq!(table.lines(), "A    B\nlong 1\né    -\n");
    }
}
