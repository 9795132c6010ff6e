//! Files that are built into the program, each in the form that suits the client best: plain, or compressed.

use std::borrow::Cow;

use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::body;
use super::negotiation::Encoding;
use super::response::Response;

/// A directory of files that a release has in it. A debug build reads them when it is asked for one.
///
/// Beside a file its compressed forms may lie, under its name and the [suffix](Encoding::suffix) of the encoding.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedFiles {
    /// Gives a file by its path in the directory.
    read: fn(&str) -> Option<EmbeddedFile>,
}

impl EmbeddedFiles {
    /// The files of a directory.
    #[must_use]
    pub fn of<Files: RustEmbed>() -> Self {
        Self { read: Files::get }
    }

    /// A directory in which there is no file.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { read: |_| None }
    }

    /// A file by its path in the directory, for a client that sent these header fields. `None` if there is none.
    ///
    /// A debug build opens whatever the path leads to: check a name that comes from outside with [`is_name`].
    #[must_use]
    pub fn get(self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let plain = (self.read)(path)?;
        let content_type = content_type(plain.metadata.mimetype());
        let encoded = Encoding::preferred(headers).into_iter().find_map(|encoding| {
            let file = (self.read)(&format!("{path}{}", encoding.suffix()))?;
            Some((encoding, file))
        });
        let (encoding, file) = encoded.map_or((None, plain), |(encoding, file)| (Some(encoding), file));
        let mut response = Response::new(body::full(bytes(file)));
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, content_type);
        fields.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Some(encoding) = encoding {
            fields.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        Some(response)
    }
}

/// Whether a text is the name of a file, and not of a compressed form. It leads to no other directory.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_compressed = [Encoding::Brotli, Encoding::Gzip].iter().any(|encoding| text.ends_with(encoding.suffix()));
    is_plain && !text.starts_with('.') && !is_compressed
}

fn content_type(media_type: &str) -> HeaderValue {
    let charset = if media_type.starts_with("text/") { "; charset=utf-8" } else { "" };
    let unknown = HeaderValue::from_static("application/octet-stream");
    HeaderValue::try_from(format!("{media_type}{charset}")).unwrap_or(unknown)
}

/// A release has the file in its memory, from where it is sent without a copy.
fn bytes(file: EmbeddedFile) -> Bytes {
    match file.data {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(RustEmbed)]
    #[folder = "src/api/handlers/page/tests"]
    struct TestPage;

    #[test]
    fn a_file_of_a_release_is_not_copied() {
        static CONTENT: &[u8] = b"content";
        let mut file = TestPage::get("index.html").unwrap();
        file.data = Cow::Borrowed(CONTENT);
        assert_eq!(bytes(file).as_ptr(), CONTENT.as_ptr());
    }
}
