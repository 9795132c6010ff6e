use proptest::prelude::*;

use super::*;

/// An answer as Apereo's server writes it, with these attributes.
fn success(attributes: &str) -> String {
    format!(
        "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>
    <cas:authenticationSuccess>
        <cas:user>alice</cas:user>
        <cas:attributes>
            <cas:isFromNewLogin>true</cas:isFromNewLogin>
            {attributes}
        </cas:attributes>
    </cas:authenticationSuccess>
</cas:serviceResponse>
"
    )
}

/// Whose document it is, which is taken.
#[track_caller]
fn taken(text: &str) -> Person {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn person(user: &str, groups: &[&str]) -> Person {
    Person { user: user.to_owned(), groups: groups.iter().map(ToString::to_string).collect() }
}

/// Why a document is not taken.
#[track_caller]
fn nonsense(text: impl AsRef<[u8]>) -> String {
    match read(text.as_ref()) {
        Err(CasError::Nonsense(words)) => words,
        other => panic!("{other:?}: {}", String::from_utf8_lossy(text.as_ref())),
    }
}

#[test]
fn a_person_has_a_uid_and_no_one_or_many_groups() {
    let uid = "<cas:uid>alice</cas:uid>";
    assert_eq!(taken(&success(uid)), person("alice", &[]));
    assert_eq!(taken(&success(&format!("<cas:memberOf>ops</cas:memberOf>{uid}"))), person("alice", &["ops"]));
    let many = "<cas:memberOf>cn=ops,ou=groups,dc=example,dc=org</cas:memberOf><cas:memberOf>wmf</cas:memberOf>";
    let expected = person("alice", &["cn=ops,ou=groups,dc=example,dc=org", "wmf"]);
    assert_eq!(taken(&success(&format!("{uid}{many}"))), expected);
}

#[test]
fn the_user_is_the_attribute_and_not_the_name_that_was_typed() {
    let text = success("<cas:uid>alice</cas:uid>").replace("<cas:user>alice<", "<cas:user>Alice Example<");
    assert_eq!(taken(&text), person("alice", &[]));
}

#[test]
fn the_prefix_is_free_and_the_namespace_is_not() {
    let text = success("<cas:uid>alice</cas:uid>");
    let other = text.replace("cas:", "sso:").replace("xmlns:cas", "xmlns:sso");
    let default = text.replace("cas:", "").replace("xmlns:cas", "xmlns");
    for same in [&other, &default, &format!("\u{feff}<?xml version='1.0' encoding='utf-8'?>\n{text}\n<!-- end -->\n")] {
        assert_eq!(taken(same), person("alice", &[]), "{same}");
    }
    let root = "it begins with \"serviceResponse\" and not with the `serviceResponse` of CAS";
    for wrong in [
        text.replace("http://www.yale.edu/tp/cas", "http://www.yale.edu/tp/cas/"),
        text.replace("http://www.yale.edu/tp/cas", ""),
        text.replace(" xmlns:cas='http://www.yale.edu/tp/cas'", ""),
        text.replace("cas:", ""),
    ] {
        assert_eq!(nonsense(&wrong), root, "{wrong}");
    }
}

#[test]
fn a_name_elsewhere_is_none() {
    let missing = "it must have the attribute `uid` once: is it released to this service?";
    for attributes in [
        "",
        "<uid>alice</uid>",
        "<x:uid xmlns:x='urn:x'>alice</x:uid>",
        "<cas:uid xmlns:cas='urn:x'>alice</cas:uid>",
        "<cas:other><cas:uid>alice</cas:uid></cas:other>",
        "<cas:attributes><cas:uid>alice</cas:uid></cas:attributes>",
        "<!-- <cas:uid>alice</cas:uid> -->",
        "<![CDATA[<cas:uid>alice</cas:uid>]]>",
        "<?x <cas:uid>alice</cas:uid>?>",
        "<cas:UID>alice</cas:UID>",
        "</cas:attributes><cas:uid>alice</cas:uid><cas:attributes>",
    ] {
        assert_eq!(nonsense(success(attributes)), missing, "{attributes}");
    }
    let group =
        "<cas:uid>alice</cas:uid><x:memberOf xmlns:x='urn:x'>ops</x:memberOf><!--<cas:memberOf>ops</cas:memberOf>-->";
    assert_eq!(taken(&success(group)), person("alice", &[]));
}

#[test]
fn nobody_is_two_people() {
    let uid = "<cas:uid>alice</cas:uid>";
    let repeated = "it must have the attribute `uid` once: is it released to this service?";
    assert_eq!(nonsense(success(&format!("{uid}{uid}"))), repeated);
    assert_eq!(nonsense(success(&format!("{uid}</cas:attributes><cas:attributes>{uid}"))), repeated);
    let text = success(uid);
    let users = text.replace("<cas:attributes>", "<cas:user>bob</cas:user><cas:attributes>");
    assert_eq!(nonsense(users), "it must have one `user`");
    assert_eq!(nonsense(text.replace("<cas:user>alice</cas:user>", "")), "it must have one `user`");

    let one = "it must have one `authenticationSuccess` or one `authenticationFailure`";
    let (start, end) = ("<cas:authenticationSuccess>", "</cas:authenticationSuccess>");
    let failure = "<cas:authenticationFailure code='INVALID_TICKET'>no</cas:authenticationFailure>";
    for more in [format!("{end}{start}"), format!("{end}{failure}{start}")] {
        let twice = text.replace("<cas:attributes>", &format!("{more}<cas:attributes>"));
        assert_eq!(nonsense(twice), one);
    }
    assert_eq!(nonsense("<serviceResponse xmlns='http://www.yale.edu/tp/cas'/>"), one);
    let nested = text.replace("<cas:attributes>", &format!("{failure}<cas:attributes>"));
    assert_eq!(taken(&nested), person("alice", &[]), "a failure is none inside of a success");
    assert_eq!(nonsense(format!("{text}{text}")), "it has more than one root");
    assert_eq!(nonsense(format!("{text}bob")), "there is text outside of its root");
    assert_eq!(nonsense(format!("{text}<![CDATA[ ]]>")), "there is text outside of its root");
}

#[test]
fn nothing_within_a_value_cuts_it() {
    for (written, meant) in [
        ("ali<!-- -->ce", "alice"),
        ("alice<!---->.evil", "alice.evil"),
        ("<!-- bob -->alice", "alice"),
        ("ali<?x bob?>ce", "alice"),
        ("ali<![CDATA[ce]]>", "alice"),
        ("<![CDATA[a]]>lic<![CDATA[e&amp;]]>", "alice&amp;"),
        ("a&#108;&#x69;ce", "alice"),
        ("a&amp;&lt;&gt;&quot;&apos;b", "a&<>\"'b"),
        ("a&amp;amp;b", "a&amp;b"),
        ("älîce", "älîce"),
    ] {
        let attributes = format!("<cas:uid>{written}</cas:uid><cas:memberOf>{written}</cas:memberOf>");
        assert_eq!(taken(&success(&attributes)), person(meant, &[meant]), "{written}");
    }
    let inner = nonsense(success("<cas:uid>alice<cas:x/>.evil</cas:uid>"));
    assert_eq!(inner, "there is an element \"x\" in a value");
    assert!(nonsense(success("<cas:uid><cas:uid>alice</cas:uid></cas:uid>")).contains("in a value"));
}

#[test]
fn a_uid_is_a_user_name_of_the_spool() {
    let words = "its `uid` must be 1 to 256 bytes, without control characters and spaces around it";
    let long = "x".repeat(257);
    for bad in ["", " alice", "alice\n", "al\tice", "al&#10;ice", "al&#x9f;ice", "al\u{85}ice", &long, "<!-- alice -->"]
    {
        assert_eq!(nonsense(success(&format!("<cas:uid>{bad}</cas:uid>"))), words, "{bad}");
    }
    assert_eq!(nonsense(success("<cas:uid/>")), words);
    let group = "<cas:uid>alice</cas:uid><cas:memberOf>ops\nadmins</cas:memberOf>";
    assert_eq!(nonsense(success(group)), "a `memberOf` has control characters");
}

#[test]
fn nothing_is_defined_by_a_document() {
    let uid = success("<cas:uid>&me;</cas:uid>");
    for doctype in [
        "<!DOCTYPE x>",
        "<!DOCTYPE x [<!ENTITY me 'alice'>]>",
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>",
        "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY me '&b;&b;&b;&b;'>]>",
        "<!doctype x>",
    ] {
        assert_eq!(nonsense(format!("{doctype}{uid}")), "it has a document type declaration", "{doctype}");
    }
    assert_eq!(nonsense(&uid), "it refers to the entity \"me\", which XML does not have");
    for reference in ["&#0;", "&#xfffe;", "&#x1f;", "&#xd800;", "&#x110000;", "&#;", "&#xg;", "&;", "&", "&amp"] {
        let words = nonsense(success(&format!("<cas:uid>alice{reference}</cas:uid>")));
        assert!(words.starts_with("it is no XML") || words.starts_with("it refers to"), "{reference}: {words}");
    }
}

#[test]
fn only_utf8_is_read() {
    let text = success("<cas:uid>alice</cas:uid>");
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    assert_eq!(nonsense(&utf16), "it is not in UTF-8");
    assert_eq!(nonsense(text.replace("alice</cas:uid>", "\0</cas:uid>")), "it has a character that XML does not allow");
    assert_eq!(nonsense([text.as_bytes(), b"\xff"].concat()), "it is not in UTF-8");
    for encoding in ["ISO-8859-1", "UTF-7", "utf-16", "UTF-8\u{1f577}", ""] {
        let words = nonsense(format!("<?xml version='1.0' encoding='{encoding}'?>{text}"));
        assert!(words.starts_with("it says that its encoding is"), "{words}");
    }
    let late = nonsense(format!("\n<?xml version='1.0'?>{text}"));
    assert_eq!(late, "its XML declaration is not at its beginning");
}

#[test]
fn what_is_no_answer_is_told_by_what_is_wrong() {
    assert_eq!(nonsense(""), "it ends too early");
    assert_eq!(nonsense("yes\nalice\n"), "there is text outside of its root", "CAS 1");
    assert_eq!(
        nonsense("<html><body>Sign in</body></html>"),
        "it begins with \"html\" and not with the `serviceResponse` of CAS"
    );
    assert_eq!(nonsense("<!doctype html><p>Sign in"), "it has a document type declaration");
    let text = success("<cas:uid>alice</cas:uid>");
    for end in 0..text.trim_end().len() {
        let words = nonsense(&text[..end]);
        assert!(words == "it ends too early" || words.starts_with("it is no XML"), "{end}: {words}");
    }
    for broken in [
        text.replace("</cas:uid>", "</cas:UID>"),
        text.replace("<cas:user>", "<cas:user a='1' a='2'>"),
        text.replace("<cas:user>", "<cas:user a=1>"),
        text.replace("<cas:user>", "<cas:user a>"),
        text.replace("alice</cas:uid>", "<!-- a -- b -->alice</cas:uid>"),
        text.replace("xmlns:cas=", "xmlns:xml='urn:x' xmlns:cas="),
    ] {
        assert!(nonsense(&broken).starts_with("it is no XML"), "{broken}");
    }
}

#[test]
fn nothing_is_too_much() {
    let uid = "<cas:uid>alice</cas:uid>";
    let size = nonsense(success(&format!("{uid}<cas:x>{}</cas:x>", "x".repeat(MAX_SIZE))));
    assert_eq!(size, "it is larger than 1 MiB");
    let deep = |depth| success(&format!("{uid}{}{}", "<x>".repeat(depth), "</x>".repeat(depth)));
    assert_eq!(taken(&deep(MAX_DEPTH - 3)), person("alice", &[]));
    assert_eq!(nonsense(deep(MAX_DEPTH - 2)), "its elements are more than 16 deep in each other");
    assert_eq!(nonsense("<a>".repeat(MAX_SIZE / 3)), "it begins with \"a\" and not with the `serviceResponse` of CAS");
    let groups = |count| success(&format!("{uid}{}", "<cas:memberOf>ops</cas:memberOf>".repeat(count)));
    assert_eq!(taken(&groups(MAX_GROUPS)).groups.len(), MAX_GROUPS);
    assert_eq!(nonsense(groups(MAX_GROUPS + 1)), "it has more than 2000 groups");
    let attributes = (0..MAX_SIZE / 16).map(|n| format!(" a{n}=''")).collect::<Vec<_>>().concat();
    assert_eq!(nonsense(success(&format!("<x{attributes}/>"))), "an element has more than 16 attributes");
    let namespaces = (0..MAX_SIZE / 32).map(|n| format!(" xmlns:a{n}='urn:x'")).collect::<Vec<_>>().concat();
    assert!(nonsense(success(&format!("<x{namespaces}/>"))).starts_with("it is no XML"));
    let name = "x".repeat(MAX_SIZE / 2);
    assert!(nonsense(format!("<{name}/>")).len() < 300);
    assert!(nonsense(success(&format!("<cas:uid>&{name};</cas:uid>"))).len() < 300);
    assert!(nonsense(success(&format!("<cas:uid></{name}>"))).len() < 300);
}

#[test]
fn a_refusal_has_the_code_and_the_words_of_the_server_made_harmless() {
    let failure = |attributes: &str, words: &str| {
        let text = format!(
            "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">
             <cas:authenticationFailure {attributes}>{words}</cas:authenticationFailure></cas:serviceResponse>"
        );
        match read(text.as_bytes()) {
            Err(CasError::Refused { code, message }) => (code, message),
            other => panic!("{other:?}"),
        }
    };
    let told = |code: &str, message: &str| (code.to_owned(), message.to_owned());
    let words = "\n    Ticket &#39;ST-1-&lt;x&gt;&#39; not\r\n recognized\n";
    assert_eq!(failure("code=\"INVALID_TICKET\"", words), told("INVALID_TICKET", "Ticket 'ST-1-<x>' not recognized"));
    assert_eq!(failure("code='&#x85;A&amp;B&#10;'", "<![CDATA[<b>]]>\u{9b}31m"), told("A&B", "<b> 31m"));
    assert_eq!(failure("", ""), told("", ""));
    let (code, message) = failure(&format!("code='{0}'", "x".repeat(1000)), &"ü".repeat(1000));
    assert_eq!((code.chars().count(), message.chars().count()), (MAX_WORDS + 1, MAX_WORDS + 1));
}

/// Pieces of which documents are made, good and bad.
fn piece() -> impl Strategy<Value = String> {
    let fixed = prop::sample::select(vec![
        "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>",
        "</cas:serviceResponse>",
        "<cas:authenticationSuccess>",
        "</cas:authenticationSuccess>",
        "<cas:attributes>",
        "</cas:attributes>",
        "<cas:user>",
        "</cas:user>",
        "<cas:uid>",
        "</cas:uid>",
        "<cas:memberOf>",
        "</cas:memberOf>",
        "<cas:uid/>",
        "<cas:authenticationFailure code='X'>",
        "</cas:authenticationFailure>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml version='1.0'?>",
        "<?x",
        "?>",
        "<!DOCTYPE x [",
        "]>",
        "&amp;",
        "&#",
        "&x;",
        ";",
        "<",
        ">",
        "'",
        "\"",
        "alice",
    ]);
    prop_oneof![8 => fixed.prop_map(str::to_owned), 1 => any::<String>()]
}

proptest! {
    #[test]
    fn no_bytes_are_a_reason_to_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_document_is_a_reason_to_panic(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.concat();
        if let Ok(person) = read(text.as_bytes()) {
            prop_assert!(text.contains("<cas:uid>") && !person.user.contains(char::is_control));
        }
    }

    #[test]
    fn a_comment_changes_nothing_wherever_it_is(place in any::<prop::sample::Index>(), comment in "[^\\p{C}-]{0,30}") {
        let text = success("<cas:uid>alice</cas:uid><cas:memberOf>ops</cas:memberOf>");
        let is_between_tags = |&place: &usize| text[..place].matches('<').count() == text[..place].matches('>').count();
        let places: Vec<usize> = (0..=text.len()).filter(is_between_tags).collect();
        let (before, after) = text.split_at(*place.get(&places));
        prop_assert_eq!(taken(&format!("{before}<!--{comment}-->{after}")), person("alice", &["ops"]));
    }

    #[test]
    fn what_is_written_by_the_rules_of_xml_is_read_as_it_was(
        user in "[^\\p{C}\\p{Z}]{1,60}", groups in prop::collection::vec("[^\\p{C}]{0,60}", 0..5),
    ) {
        let escape = quick_xml::escape::escape;
        let mut attributes = format!("<cas:uid>{}</cas:uid>", escape(&user));
        for group in &groups {
            attributes.extend(["<cas:memberOf>", &escape(group), "</cas:memberOf>"]);
        }
        let expected = if user.len() > 256 { None } else { Some(Person { user, groups }) };
        prop_assert_eq!(read(success(&attributes).as_bytes()).ok(), expected);
    }
}
