//! Paths, quoted for a shell and safe for a terminal.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;

/// A path or name as one word of a command line. Control characters are escaped.
pub(super) fn quote(text: impl AsRef<OsStr>) -> String {
    let bytes = text.as_ref().as_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(byte);
    match str::from_utf8(bytes) {
        Ok(text) if !bytes.is_empty() && bytes.iter().all(plain) => text.to_owned(),
        Ok(text) if !text.contains(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => escaped(bytes),
    }
}

/// The quotes of bash for bytes that are not plain text.
fn escaped(bytes: &[u8]) -> String {
    let mut word = String::from("$'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => word.extend(['\\', byte.into()]),
            b' '..=b'~' => word.push(byte.into()),
            // Three digits, as a letter or digit that follows must not become a part of the escape.
            _ => drop(write!(word, "\\{byte:03o}")),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn bash_reads_what_was_meant() {
        let cases: [(&[u8], &str); 6] = [
            (b"/var/spool/x", "/var/spool/x"),
            (b"", "''"),
            (b"it's $HOME", r"'it'\''s $HOME'"),
            ("/räume/1".as_bytes(), "'/räume/1'"),
            (b"a\x1b[2J\n'7", r"$'a\033[2J\012\'7'"),
            (b"\xff7\\", r"$'\3777\\'"),
        ];
        for (bytes, expected) in cases {
            let quoted = quote(OsStr::from_bytes(bytes));
            assert_eq!(quoted, expected);
            let output = Command::new("bash").args(["-c", &format!("printf %s {quoted}")]).output().unwrap();
            assert_eq!(output.stdout, bytes, "{quoted}");
        }
    }
}
