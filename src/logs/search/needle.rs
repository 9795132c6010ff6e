//! The text that is looked for, and how it is found.

use memchr::memmem::Finder;

/// A text, to be found in whatever case, and in spite of colours.
#[derive(Debug)]
pub struct Needle {
    text: Finder<'static>,
    /// Something that stands in every stored record with the text, once [`str::make_ascii_lowercase`] was applied to it.
    trace: Option<String>,
}

impl Needle {
    /// A text that is not empty.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = fold(text);
        Self { text: Finder::new(&text).into_owned(), trace: trace(&text) }
    }

    /// The length of the text, in bytes.
    #[must_use]
    pub fn length(&self) -> usize {
        self.text.needle().len()
    }

    /// Whether the text is in one that was [folded](fold).
    #[must_use]
    pub fn is_in(&self, folded: &str) -> bool {
        self.text.find(folded.as_bytes()).is_some()
    }

    /// What can be found in stored records without looking into them; `None` if the text has nothing of this kind.
    #[must_use]
    pub fn trace(&self) -> Option<&str> {
        self.trace.as_deref()
    }
}

/// A text without the difference between upper and lower case.
pub fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

/// The longest part of a folded text that is stored in one way only, but for ASCII's upper case; as it is stored.
fn trace(folded: &str) -> Option<String> {
    let has_one_case = |c: char| c.is_ascii() || c.to_uppercase().eq([c]);
    let part = folded.split(|c| !has_one_case(c)).max_by_key(|part| part.len())?;
    let json = serde_json::to_string(part).ok()?;
    let escaped = json.strip_prefix('"')?.strip_suffix('"')?;
    (!escaped.is_empty()).then(|| escaped.to_owned())
}
