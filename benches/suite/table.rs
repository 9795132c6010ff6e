//! The table that the suite prints: Markdown, aligned, so that it reads well in a terminal and in a document.

use std::fmt::Write as _;

const HEADINGS: [&str; 6] = ["what", "goal", "measured", "floor", "ratio", "met"];

/// One line of the table.
#[derive(Debug)]
pub struct Row([String; 6]);

impl Row {
    /// A row with a measurement.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self([what.into(), String::new(), measured.into(), String::new(), String::new(), String::new()])
    }

    /// The goal, and whether it was reached.
    pub fn goal(mut self, goal: impl Into<String>, met: bool) -> Self {
        self.0[1] = goal.into();
        self.0[5] = if met { "yes" } else { "missed" }.into();
        self
    }

    /// The floor: the value of the machine itself, and the ratio of the measurement to it.
    pub fn floor(mut self, floor: impl Into<String>, ratio: f64) -> Self {
        self.0[3] = floor.into();
        self.0[4] = format!("{ratio:.2}");
        self
    }
}

/// The whole table.
pub fn render(rows: &[Row]) -> String {
    let headings = HEADINGS.map(str::to_owned);
    let lines: Vec<&[String; 6]> = std::iter::once(&headings).chain(rows.iter().map(|row| &row.0)).collect();
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for (number, cells) in lines.into_iter().enumerate() {
        for (cell, width) in cells.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
        if number == 0 {
            let rules: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
            let _ = writeln!(text, "|{}|", rules.join("|"));
        }
    }
    text
}
