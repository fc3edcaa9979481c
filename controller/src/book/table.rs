//! Plain tables whose columns stand below each other, where a Chinese character is as wide as two letters.

/// A table with a heading in both languages.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns, in Chinese and English.
    pub fn new(columns: &[(&str, &str)]) -> Self {
        Self { rows: vec![columns.iter().map(|(chinese, english)| format!("{chinese} {english}")).collect()] }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether it has no row below its heading.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max();
        let widths: Vec<usize> = (0..columns).map(|column| widest(column).unwrap_or(0)).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width_of_column) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width_of_column + 2 - width(cell)));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// How many columns of a terminal a text takes: the characters of Chinese, from U+1100 on, take two.
fn width(text: &str) -> usize {
    text.chars().map(|letter| if letter >= '\u{1100}' { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_each_other_in_either_script() {
        let mut table = Table::new(&[("单位", "unit"), ("数量", "quantity")]);
        table.row(vec!["财政局".to_owned(), "4".to_owned()]);
        table.row(vec!["tax".to_owned(), "12".to_owned()]);
        assert_eq!(table.to_string(), "单位 unit  数量 quantity\n财政局     4\ntax        12\n");
    }
}
