//! What a CAS server sends when somebody has signed out there: a `LogoutRequest` of SAML. It names the session by the
//! ticket that began it.
//!
//! Anybody can send one, so only the ticket counts. The server and the browser know it, and nobody else; our file has only
//! its digest.

use quick_xml::NsReader;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};

use super::answer::{ill_formed, resolve, text};
use crate::http::percent;

/// The namespace of the protocol.
const SAML: Namespace<'static> = Namespace("urn:oasis:names:tc:SAML:2.0:protocol");

/// The field of the form.
const FIELD: &str = "logoutRequest=";

/// The largest form that is read, in bytes. A real one has a tenth of that.
const MAX_SIZE: usize = 16 << 10;

/// Reads the ticket of the session that has ended.
///
/// # Errors
/// What is wrong with the form, in words.
pub fn ticket(form: &[u8]) -> Result<String, String> {
    if form.len() > MAX_SIZE {
        return Err(format!("it is larger than {} KiB", MAX_SIZE >> 10));
    }
    let form = std::str::from_utf8(form).map_err(|_| "it is not in UTF-8".to_owned())?;
    let field = form.split('&').find_map(|field| field.strip_prefix(FIELD));
    let field = field.ok_or_else(|| "it has no logoutRequest".to_owned())?;
    let document = percent::decode(&field.replace('+', " ")).ok_or_else(|| "it is not encoded as a form".to_owned())?;
    session_index(text(document.as_bytes())?)
}

/// The text of the one `SessionIndex` that stands right in the root.
fn session_index(document: &str) -> Result<String, String> {
    let mut reader = NsReader::from_str(document);
    reader.config_mut().enable_all_checks(true);
    reader.config_mut().expand_empty_elements = true;
    let (mut depth, mut is_in_index) = (0_usize, false);
    let mut indexes: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|error| ill_formed(&error))?;
        match event {
            Event::Start(element) => {
                let (namespace, name) = reader.resolver().resolve_element(element.name());
                let is = |wanted: &str| namespace == ResolveResult::Bound(SAML) && name.into_inner() == wanted;
                if depth == 0 && !is("LogoutRequest") {
                    return Err("it is no LogoutRequest of SAML".to_owned());
                }
                is_in_index = depth == 1 && is("SessionIndex");
                if is_in_index {
                    indexes.push(String::new());
                }
                depth += 1;
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                is_in_index = false;
            }
            Event::Text(text) if is_in_index => add(&mut indexes, &text.xml10_content()),
            Event::CData(text) if is_in_index => add(&mut indexes, &text.xml10_content()),
            Event::GeneralRef(reference) if is_in_index => add(&mut indexes, &resolve(&reference)?),
            Event::DocType(_) => return Err("it has a document type declaration".to_owned()),
            Event::Eof => break,
            _ => {}
        }
    }
    match &indexes[..] {
        [index] if depth == 0 => Ok(index.trim().to_owned()),
        _ => Err("it must have one SessionIndex".to_owned()),
    }
}

fn add(indexes: &mut [String], text: &str) {
    if let Some(index) = indexes.last_mut() {
        index.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(inner: &str) -> String {
        format!(
            "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"LR-1\" Version=\"2.0\">\
             <saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">alice</saml:NameID>{inner}\
             </samlp:LogoutRequest>"
        )
    }

    fn form(document: &str) -> Vec<u8> {
        let document = percent_encoding::utf8_percent_encode(document, percent_encoding::NON_ALPHANUMERIC);
        format!("other=1&logoutRequest={document}").into_bytes()
    }

    #[test]
    fn a_logout_names_the_ticket() {
        for index in [" ST-1-abc\n", "ST-1<!-- -->-abc", "<![CDATA[ST-1-abc]]>", "&#83;T-1-abc"] {
            let document = request(&format!("<samlp:SessionIndex>{index}</samlp:SessionIndex>"));
            assert_eq!(ticket(&form(&document)).unwrap(), "ST-1-abc", "{index}");
        }
        let plus = request("<samlp:SessionIndex>ST-1</samlp:SessionIndex>").replace(' ', "+").replace('%', "%25");
        assert_eq!(ticket(format!("logoutRequest={plus}").as_bytes()).unwrap(), "ST-1", "blanks may be plus signs");
    }

    #[test]
    fn nothing_else_is_one() {
        let one = "<samlp:SessionIndex>ST-1</samlp:SessionIndex>";
        for document in [
            String::new(),
            "ST-1".to_owned(),
            request(""),
            request(&one.repeat(2)),
            request(&format!("<x>{one}</x>")),
            request("<SessionIndex>ST-1</SessionIndex>"),
            request("<x:SessionIndex xmlns:x=\"urn:x\">ST-1</x:SessionIndex>"),
            request(one).replace("LogoutRequest", "LogoutResponse"),
            request(one).replace("SAML:2.0:protocol", "elsewhere"),
            request(one).replace("</samlp:LogoutRequest>", ""),
            format!("<!DOCTYPE x [<!ENTITY a 'ST-1'>]>{}", request(one)),
            request("<samlp:SessionIndex>&a;</samlp:SessionIndex>"),
            request(&format!("{one}<x>{}", "<y>".repeat(1000))),
        ] {
            assert!(ticket(&form(&document)).is_err(), "{document}");
        }
        assert!(ticket(b"").is_err() && ticket(b"logoutRequest=%").is_err() && ticket(b"\xff").is_err());
        assert!(ticket(&form(&request(&format!("{one}{}", "x".repeat(MAX_SIZE))))).is_err());
    }
}
