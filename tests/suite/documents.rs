//! The documents are true where a program can tell: their links lead somewhere, they name every setting and route, each
//! dependency has a reason, and they are as short and as plain as `docs/style.md` says.

mod links;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_json::Value;
use spiderpig::api::table::ROUTES;
use spiderpig::config::Config;

use crate::demo::repository;

/// What we have written and do not write any more, letter by letter; line breaks count as spaces.
const REFUSED: &[&str] = &[
    "worth nothing",
    "do not belong together",
    "is wanted",
    "Notices what is new",
    "that of this service",
    "Nothing waits",
    "Jobs that run go on",
    "what did what",
    "Tries",
];

/// The page that shows these phrases as examples.
const EXAMPLES_OF_REFUSED: &str = "docs/style.md";

/// What is in the repository and not ours, or made anew by each build.
const NOT_OURS: &[&str] = &[".git", "target", "node_modules", "dist", "results", "__pycache__"];

/// The files below a directory with an ending, by their paths in the repository.
fn files(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() && !NOT_OURS.contains(&entry.file_name().to_str().unwrap()) {
            found.append(&mut files(&path, ending));
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == ending) {
            found.push(path.strip_prefix(repository()).unwrap().to_owned());
        }
    }
    found.sort();
    found
}

/// Every Markdown file of the repository.
fn documents() -> Vec<PathBuf> {
    files(repository(), "md")
}

/// The text of a file of the repository.
fn text(path: impl AsRef<Path>) -> String {
    let path = path.as_ref();
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first block of code in a language, of a text.
fn block<'a>(text: &'a str, language: &str) -> &'a str {
    let (_, rest) = text.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn every_link_leads_somewhere() {
    let broken: Vec<String> = documents().iter().flat_map(|document| links::broken(document)).collect();
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_first_documents_are_short() {
    for (document, most) in [("README.md", 700), ("ARCHITECTURE.md", 2_500)] {
        let words = text(document).split_whitespace().count();
        assert!(words <= most, "{document} has {words} words, and may have {most}: move a part into the book");
    }
}

#[test]
fn no_document_has_a_phrase_that_we_do_not_write() {
    let sources = [("src", "rs"), ("web/src", "ts"), ("web/src", "vue"), ("tests/browser/specs", "ts")];
    let sources = sources.iter().flat_map(|(directory, ending)| files(&repository().join(directory), ending));
    let texts = documents().into_iter().chain(sources);
    for document in texts.filter(|document| document != Path::new(EXAMPLES_OF_REFUSED)) {
        let words: Vec<String> = text(&document).split_whitespace().map(str::to_owned).collect();
        let words = words.join(" ");
        for phrase in REFUSED {
            assert!(!words.contains(phrase), "{}: “{phrase}”: see {EXAMPLES_OF_REFUSED}", document.display());
        }
    }
}

#[test]
fn the_book_has_every_page_once() {
    let summary = text("docs/SUMMARY.md");
    let link = Regex::new(r"\]\(([^)]+)\)").unwrap();
    let chapters: Vec<&str> = link.captures_iter(&summary).map(|captures| captures.get(1).unwrap().as_str()).collect();
    let once: BTreeSet<&str> = chapters.iter().copied().collect();
    assert_eq!(once.len(), chapters.len(), "a chapter is there twice: {chapters:?}");
    let pages = files(&repository().join("docs"), "md");
    let pages: BTreeSet<&str> =
        pages.iter().map(|page| page.to_str().unwrap().strip_prefix("docs/").unwrap()).collect();
    assert_eq!(once, pages.into_iter().filter(|page| *page != "SUMMARY.md").collect());
}

#[test]
fn every_decision_has_its_four_parts() {
    for record in files(&repository().join("docs/decisions"), "md") {
        let number = record.file_name().unwrap().to_str().unwrap().split('-').next().unwrap();
        let Ok(number) = number.parse::<u32>() else { continue };
        let text = text(&record);
        assert!(text.starts_with(&format!("# {number}. ")), "{}: its heading has its number", record.display());
        let headings: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, ["Context", "Decision", "Alternative", "Revisit when"], "{}", record.display());
    }
}

#[test]
fn the_book_knows_every_setting() {
    let document = text("docs/configuration.md");
    let toml = block(&document, "toml");
    Config::parse(Path::new("docs/configuration.md"), toml).unwrap();
    let keys = Regex::new(r"const KEYS: &\[&str\] =\s*&\[([^\]]*)\]").unwrap();
    let key = Regex::new(r#""(\w+)""#).unwrap();
    let mut count = 0;
    for source in files(&repository().join("src/config"), "rs") {
        for keys in keys.captures_iter(&text(&source)) {
            for key in key.captures_iter(&keys[1]) {
                let is_known = Regex::new(&format!(r"\b{}( =|\])", &key[1])).unwrap().is_match(&document);
                assert!(is_known, "docs/configuration.md lacks {}, a key in {}", &key[1], source.display());
                count += 1;
            }
        }
    }
    assert!(count > 50, "only {count} keys were found: has their form in the code changed?");
    let install = text("docs/install.md");
    Config::parse(Path::new("docs/install.md"), block(&install, "toml")).unwrap();
}

#[test]
fn the_book_knows_every_route() {
    let document = text("docs/http-api.md");
    let pages = document.lines().find(|line| line.starts_with("| `GET /`")).unwrap();
    for route in ROUTES {
        let path = route.path.replace(":number", "").replace(":text", "").replace("{iid}", "{question}");
        let known = format!("| `{} {}", route.method, path.replace("/{signal}", "/{interrupt,kill}"));
        // The paths of the page share a row.
        let is_known = document.contains(&known) || (route.is_page() && pages.contains(&format!("`{path}`")));
        assert!(is_known, "docs/http-api.md lacks {known}");
    }
}

/// The lines of a section of Cargo.toml, each with the line before it.
fn section<'a>(manifest: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let lines: Vec<&str> = manifest.lines().collect();
    let pairs = lines.windows(2).map(|pair| (pair[0], pair[1]));
    let mut of_section = pairs.skip_while(|(before, _)| *before != format!("[{name}]"));
    of_section.by_ref().take_while(|(_, line)| !line.starts_with('[')).collect()
}

#[test]
fn every_rust_dependency_has_its_reason() {
    let manifest = text("Cargo.toml");
    for name in ["dependencies", "dev-dependencies"] {
        let lines = section(&manifest, name);
        let dependencies = lines.iter().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let mut count = 0;
        for (before, line) in dependencies {
            let dependency = line.split(' ').next().unwrap();
            let above = before.strip_prefix(&format!("# {dependency}: "));
            let reason = line.split_once(" # ").map(|(_, reason)| reason).or(above);
            assert!(reason.is_some_and(|reason| !reason.trim().is_empty()), "Cargo.toml: {dependency} has no reason");
            count += 1;
        }
        assert!(count > 3, "[{name}] was not found");
    }
}

#[test]
fn every_npm_package_has_its_reason() {
    let row = Regex::new(r"(?m)^\| `([^`]+)`\s*\| *[^| ]").unwrap();
    for directory in ["web", "tests/browser"] {
        let package: Value = serde_json::from_str(&text(format!("{directory}/package.json"))).unwrap();
        let sections = ["dependencies", "devDependencies"].map(|section| package[section].as_object());
        let declared: BTreeSet<&str> =
            sections.into_iter().flatten().flatten().map(|(name, _)| name.as_str()).collect();
        let readme = text(format!("{directory}/README.md"));
        let explained = row.captures_iter(&readme).map(|captures| captures.get(1).unwrap().as_str()).collect();
        assert_eq!(declared, explained, "{directory}/README.md has a row for each package, and for no other");
    }
}

#[test]
fn every_python_package_has_its_reason() {
    let requirements = text("tests/python/requirements.in");
    for line in requirements.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.split_once(" # ").is_some(), "tests/python/requirements.in: {line} has no reason");
    }
}
