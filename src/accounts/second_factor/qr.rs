//! QR codes (ISO/IEC 18004), for a page and for a terminal.

use qrcode::{Color, EcLevel, QrCode};

/// The light modules around a QR code that its standard asks for.
const QUIET_ZONE: usize = 4;

/// Black on white, whatever colours the terminal has: not every app reads an inverted QR code.
const BLACK_ON_WHITE: &str = "\x1b[38;5;16;48;5;231m";
const RESET: &str = "\x1b[0m";

/// The modules of the QR code of a text, one string for each row: `1` is dark. The quiet zone is left out. There are no rows
/// if the text is too long for a QR code (more than 2,900 bytes).
///
/// The level of error correction is the lowest: a screen has no dirt, and a terminal of 24 lines has room for the code.
#[must_use]
pub fn rows(text: &str) -> Vec<String> {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return Vec::new() };
    let modules = code.to_colors();
    let digit = |color: &Color| if *color == Color::Dark { '1' } else { '0' };
    modules.chunks(code.width()).map(|row| row.iter().map(digit).collect()).collect()
}

/// The rows as text for a terminal, with the quiet zone: a character is two modules, one above the other.
#[must_use]
pub fn terminal(rows: &[String]) -> String {
    let size = rows.len() + 2 * QUIET_ZONE;
    let is_dark = |row: usize, column: usize| {
        let module = row.checked_sub(QUIET_ZONE).zip(column.checked_sub(QUIET_ZONE));
        module.and_then(|(row, column)| rows.get(row)?.as_bytes().get(column)).is_some_and(|module| *module == b'1')
    };
    let half_blocks = |row: usize, column: usize| match (is_dark(row, column), is_dark(row + 1, column)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let line = |row| {
        format!("{BLACK_ON_WHITE}{}{RESET}\n", (0..size).map(|column| half_blocks(row, column)).collect::<String>())
    };
    (0..size).step_by(2).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_square_and_has_the_patterns_that_it_is_found_by() {
        let rows = rows("otpauth://totp/SpiderPig:alice?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=SpiderPig");
        assert!(rows.len() == 37 && rows.iter().all(|row| row.len() == 37), "version 5");
        let finder = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"];
        for (place, pattern) in finder.into_iter().enumerate() {
            assert!(
                rows[place].starts_with(pattern)
                    && rows[place].ends_with(pattern)
                    && rows[30 + place].starts_with(pattern)
            );
        }
        assert!(super::rows(&"x".repeat(3000)).is_empty(), "too long for any");
    }

    #[test]
    fn a_terminal_shows_two_rows_in_one() {
        let rows: Vec<String> = ["101", "110", "001"].map(str::to_owned).into();
        let text = terminal(&rows).replace(BLACK_ON_WHITE, "").replace(RESET, "|");
        let (edge, quiet) = (format!("{}|\n", " ".repeat(11)), " ".repeat(4));
        assert_eq!(text, format!("{edge}{edge}{quiet}█▄▀{quiet}|\n{quiet}  ▀{quiet}|\n{edge}{edge}"));
    }
}
