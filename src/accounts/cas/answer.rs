//! How the answer of a CAS server about a ticket is read: an XML document.
//!
//! The server is trusted with who people are, but people choose parts of the document. So a strict reader of XML takes it,
//! and only at the places where the protocol has something: a name in a comment, in another namespace or at another depth
//! does not count. Only the five entities of XML itself are known, so nothing can grow.

#[cfg(test)]
mod tests;

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};
use quick_xml::{NsReader, XmlVersion};

use super::{CasError, Person};
use crate::outbound::cut;
use crate::spool::submitter;

/// The namespace of the protocol.
const CAS: Namespace<'static> = Namespace("http://www.yale.edu/tp/cas");

/// The largest document that is read, in bytes: a thousand groups take a tenth of it.
const MAX_SIZE: usize = 1 << 20;

/// How deep elements may be in each other. The protocol needs four, for a list of proxies.
const MAX_DEPTH: usize = 16;

/// The attributes that an element may have, in XML's sense of the word. The protocol needs one, and namespaces some.
const MAX_ATTRIBUTES: usize = 16;

/// The groups that somebody may be in.
const MAX_GROUPS: usize = 2_000;

const OUTSIDE: &str = "there is text outside of its root";

/// How much is repeated of a name, in characters.
const MAX_NAME: usize = 60;

/// How much is repeated of what the server says, in characters.
const MAX_WORDS: usize = 200;

/// Reads an answer.
///
/// # Errors
/// [`CasError::Refused`] if that is the answer, [`CasError::Nonsense`] if it is none.
pub fn read(bytes: &[u8]) -> Result<Person, CasError> {
    let text = text(bytes).map_err(CasError::Nonsense)?;
    let mut reader = NsReader::from_str(text);
    reader.config_mut().enable_all_checks(true);
    reader.config_mut().expand_empty_elements = true;
    let mut answer = Answer::default();
    loop {
        let event = reader.read_event().map_err(|error| ill_formed(&error)).map_err(CasError::Nonsense)?;
        if event == Event::Eof {
            return answer.judge();
        }
        answer.take(event, &reader).map_err(CasError::Nonsense)?;
    }
}

/// The characters of a document: UTF-8, whatever it says of itself, and only those that XML allows.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, String> {
    if bytes.len() > MAX_SIZE {
        return Err(format!("it is larger than {} MiB", MAX_SIZE >> 20));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "it is not in UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.chars().all(is_character) { Ok(text) } else { Err("it has a character that XML does not allow".to_owned()) }
}

/// `Char` of XML 1.0.
fn is_character(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

pub(crate) fn ill_formed(error: &dyn std::fmt::Display) -> String {
    format!("it is no XML: {}", cut(&error.to_string().escape_debug().to_string(), MAX_WORDS))
}

/// The places of a document that are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Response,
    Success,
    Failure,
    User,
    Attributes,
    Uid,
    MemberOf,
    /// Whatever else there is, and all that is in it.
    Elsewhere,
}

impl Place {
    /// Where an element of the protocol is that stands here; `None` is the document itself.
    fn child(parent: Option<Self>, name: &str) -> Self {
        match (parent, name) {
            (None, "serviceResponse") => Self::Response,
            (Some(Self::Response), "authenticationSuccess") => Self::Success,
            (Some(Self::Response), "authenticationFailure") => Self::Failure,
            (Some(Self::Success), "user") => Self::User,
            (Some(Self::Success), "attributes") => Self::Attributes,
            (Some(Self::Attributes), "uid") => Self::Uid,
            (Some(Self::Attributes), "memberOf") => Self::MemberOf,
            _ => Self::Elsewhere,
        }
    }

    /// Whether it has text, and nothing but text.
    fn is_value(self) -> bool {
        matches!(self, Self::Failure | Self::User | Self::Uid | Self::MemberOf)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Answer {
    begun: bool,
    responses: usize,
    path: Vec<Place>,
    /// The text of the value that is being read. Comments and the like do not end it.
    text: String,
    successes: usize,
    users: usize,
    uids: Vec<String>,
    groups: Vec<String>,
    code: String,
    failures: Vec<String>,
}

impl Answer {
    fn take(&mut self, event: Event, reader: &NsReader<&[u8]>) -> Result<(), String> {
        let is_first = !std::mem::replace(&mut self.begun, true);
        match event {
            Event::Decl(declaration) if is_first => check_encoding(&declaration),
            Event::Decl(_) => Err("its XML declaration is not at its beginning".to_owned()),
            Event::DocType(_) => Err("it has a document type declaration".to_owned()),
            Event::Start(element) => {
                let (namespace, name) = reader.resolver().resolve_element(element.name());
                self.enter(&element, namespace == ResolveResult::Bound(CAS), name.into_inner())
            }
            Event::End(_) => self.leave(),
            Event::Text(text) => self.add(&text.xml10_content()),
            Event::CData(_) | Event::GeneralRef(_) if self.path.is_empty() => Err(OUTSIDE.to_owned()),
            Event::CData(text) => self.add(&text.xml10_content()),
            Event::GeneralRef(reference) => self.add(&resolve(&reference)?),
            Event::Empty(_) | Event::Comment(_) | Event::PI(_) | Event::Eof => Ok(()),
        }
    }

    fn enter(&mut self, element: &BytesStart, is_cas: bool, name: &str) -> Result<(), String> {
        let code = check_attributes(element)?;
        let parent = self.path.last().copied();
        let place = if is_cas { Place::child(parent, name) } else { Place::Elsewhere };
        match (parent, place) {
            (None, Place::Response) if self.responses == 0 => self.responses += 1,
            (None, Place::Response) => return Err("it has more than one root".to_owned()),
            (None, _) => {
                return Err(format!("it begins with {} and not with the `serviceResponse` of CAS", quoted(name)));
            }
            (Some(parent), _) if parent.is_value() => {
                return Err(format!("there is an element {} in a value", quoted(name)));
            }
            (_, Place::Success) => self.successes += 1,
            (_, Place::Failure) => self.code = code.unwrap_or_default(),
            _ => {}
        }
        if self.path.len() == MAX_DEPTH {
            return Err(format!("its elements are more than {MAX_DEPTH} deep in each other"));
        }
        self.path.push(place);
        self.text.clear();
        Ok(())
    }

    fn leave(&mut self) -> Result<(), String> {
        let mut text = || std::mem::take(&mut self.text);
        match self.path.pop() {
            Some(Place::User) => self.users += 1,
            Some(Place::Uid) => self.uids.push(text()),
            Some(Place::MemberOf) => self.groups.push(text()),
            Some(Place::Failure) => self.failures.push(text()),
            _ => {}
        }
        if self.groups.len() > MAX_GROUPS { Err(format!("it has more than {MAX_GROUPS} groups")) } else { Ok(()) }
    }

    fn add(&mut self, text: &str) -> Result<(), String> {
        match self.path.last() {
            Some(place) if place.is_value() => self.text.push_str(text),
            None if !text.chars().all(|character| matches!(character, ' ' | '\t' | '\n')) => {
                return Err(OUTSIDE.to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    fn judge(self) -> Result<Person, CasError> {
        let nonsense = |words: &str| Err(CasError::Nonsense(words.to_owned()));
        if self.responses == 0 || !self.path.is_empty() {
            return nonsense("it ends too early");
        }
        match (self.successes, &self.failures[..]) {
            (0, [message]) => {
                let (code, message) = (tame(&self.code), tame(message));
                return Err(CasError::Refused { code, message });
            }
            (1, []) => {}
            _ => return nonsense("it must have one `authenticationSuccess` or one `authenticationFailure`"),
        }
        if self.users != 1 {
            return nonsense("it must have one `user`");
        }
        let Ok([user]) = <[String; 1]>::try_from(self.uids) else {
            return nonsense("it must have the attribute `uid` once: is it released to this service?");
        };
        if submitter::check_name(&user).is_err() || user.trim() != user {
            return nonsense("its `uid` must be 1 to 256 bytes, without control characters and spaces around it");
        }
        if self.groups.iter().any(|group| group.contains(char::is_control)) {
            return nonsense("a `memberOf` has control characters");
        }
        Ok(Person { user, groups: self.groups })
    }
}

/// What other people wrote, for a line of a log or a page.
fn tame(text: &str) -> String {
    let words: Vec<&str> = text.split(|character: char| character.is_whitespace() || character.is_control()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    cut(&words.join(" "), MAX_WORDS).into_owned()
}

/// The beginning in quotation marks, without control characters.
fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, MAX_NAME))
}

fn check_encoding(declaration: &BytesDecl) -> Result<(), String> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(encoding)) if encoding.eq_ignore_ascii_case("utf-8") => Ok(()),
        Some(Ok(encoding)) => {
            Err(format!("it says that its encoding is {}, and only UTF-8 is read", quoted(&encoding)))
        }
        Some(Err(error)) => Err(ill_formed(&error)),
    }
}

/// The value of the attribute `code`, if there is one.
fn check_attributes(element: &BytesStart) -> Result<Option<String>, String> {
    let mut code = None;
    for (place, attribute) in element.attributes().enumerate() {
        if place == MAX_ATTRIBUTES {
            return Err(format!("an element has more than {MAX_ATTRIBUTES} attributes"));
        }
        let attribute = attribute.map_err(|error| ill_formed(&error))?;
        if attribute.key.as_ref() == "code" {
            let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(|error| ill_formed(&error))?;
            code = Some(value.into_owned());
        }
    }
    Ok(code)
}

/// What a reference stands for: a character by its number, or one of the five that have names.
pub(crate) fn resolve(reference: &BytesRef) -> Result<String, String> {
    if let Some(character) = reference.resolve_char_ref().map_err(|error| ill_formed(&error))? {
        let allowed = Some(character).filter(|&character| is_character(character));
        return allowed.map(String::from).ok_or_else(|| "it refers to a character that XML does not allow".to_owned());
    }
    let name = reference.xml10_content();
    let unknown = || format!("it refers to the entity {}, which XML does not have", quoted(&name));
    resolve_predefined_entity(&name).map(str::to_owned).ok_or_else(unknown)
}
