//! The rooms of the library stand on floors, and imports lead down only, as ARCHITECTURE.md says.
//!
//! Files of tests are left out: a test may build whatever it needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use crate::demo::repository;

/// Within `api`: each part may name those of its own place and of those before.
const PARTS_OF_API: &[&[&str]] = &[
    &["app", "failure"],
    &["request", "route", "record", "refusals", "job"],
    &["handlers"],
    &["table"],
    &["document", "front"],
    &["start"],
];

/// The rooms that may speak of hyper.
const ROOMS_OF_HTTP: &[&str] = &["http", "outbound", "api"];

/// A file of the library, without its tests.
struct Source {
    /// `http::body` for `src/http/body.rs`.
    module: Vec<String>,
    /// Without comments and test modules.
    text: String,
    /// Every path that begins at the crate, without `crate`.
    paths: BTreeSet<Vec<String>>,
}

impl Source {
    fn read(file: &Path, directory: &Path) -> Self {
        let text = without_tests(&fs::read_to_string(file).unwrap());
        let place = file.strip_prefix(directory).unwrap().with_extension("");
        let mut module: Vec<String> = place.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        module.pop_if(|last| last == "mod");
        let paths = paths(&text, &module);
        Self { module, text, paths }
    }

    fn room(&self) -> &str {
        &self.module[0]
    }

    fn name(&self) -> String {
        self.module.join("::")
    }
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

/// Leaves out comments, and what only tests have: they stand at the end of a file.
fn without_tests(text: &str) -> String {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"//[^\n]*"));
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    COMMENT.replace_all(&text[..end], "").into_owned()
}

/// The paths in a text that lead into the crate: those of `use`, and those that stand in the middle of code.
fn paths(text: &str, module: &[String]) -> BTreeSet<Vec<String>> {
    static USE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\buse\s+((?:crate|self|super|spiderpig)\b[^;]*);"));
    static INLINE: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b(?:crate|super|spiderpig)(?:::\w+)+"));
    let mut written: Vec<String> = USE.captures_iter(text).flat_map(|found| leaves(&found[1])).collect();
    written.extend(INLINE.find_iter(&USE.replace_all(text, "")).map(|found| found.as_str().to_owned()));
    written.iter().map(|path| absolute(path, module)).collect()
}

/// The paths that a tree of a `use` stands for: `a::{b, c::d}` is `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<String> {
    let Some((stem, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inner = rest.trim_end().strip_suffix('}').unwrap();
    let (mut branches, mut depth) = (vec![String::new()], 0);
    for letter in inner.chars() {
        depth += i32::from(letter == '{') - i32::from(letter == '}');
        match letter {
            ',' if depth == 0 => branches.push(String::new()),
            _ => branches.last_mut().unwrap().push(letter),
        }
    }
    let branches = branches.iter().map(|branch| branch.trim()).filter(|branch| !branch.is_empty());
    branches.flat_map(leaves).map(|leaf| format!("{}{leaf}", stem.trim())).collect()
}

fn absolute(path: &str, module: &[String]) -> Vec<String> {
    let mut parts = path.split("::").map(str::trim).peekable();
    let mut place = match parts.next() {
        Some("crate" | "spiderpig") => Vec::new(),
        Some("super") => module[..module.len().saturating_sub(1)].to_vec(),
        _ => module.to_vec(),
    };
    while parts.next_if_eq(&"super").is_some() {
        place.pop();
    }
    place.extend(parts.filter(|part| *part != "self").map(str::to_owned));
    place
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        // These are the names of what only tests have.
        if ["tests", "testing", "walk", "shapes", "snapshots"].contains(&stem) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && stem != "lib" {
            found.push(path);
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let directory = repository().join("src");
    files(&directory).iter().map(|file| Source::read(file, &directory)).collect()
}

/// The rooms, each with its floor, from the table in ARCHITECTURE.md.
fn floors() -> BTreeMap<String, u32> {
    let text = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let row = pattern(r"(?m)^\| (\d) \| `(\w+)` \| \S.* \|$");
    row.captures_iter(&text).map(|row| (row[2].to_owned(), row[1].parse().unwrap())).collect()
}

/// The place of a part of `api`.
fn place_in_api(part: &str) -> Option<usize> {
    PARTS_OF_API.iter().position(|parts| parts.contains(&part))
}

/// What is wrong with a path that a file names, if anything is.
fn complaint(source: &Source, path: &[String], floors: &BTreeMap<String, u32>) -> Option<&'static str> {
    let (from, to) = (source.room(), path.first()?);
    if from != to {
        return (floors.get(from)? <= floors.get(to)?).then_some("stands on the same floor, or higher");
    }
    if from != "api" {
        return None;
    }
    let (from, to) = (source.module.get(1)?, path.get(1)?);
    let is_higher = place_in_api(from)? < place_in_api(to)?;
    is_higher.then_some("is a part of api that stands higher").or_else(|| {
        (to == "handlers" && from != "handlers" && from != "table")
            .then_some("is a handler, which only the table names")
    })
}

#[test]
fn imports_lead_down_only() {
    let floors = floors();
    let complaints: BTreeSet<String> = sources()
        .iter()
        .flat_map(|source| {
            let complain = |path: &Vec<String>| {
                let reason = complaint(source, path, &floors)?;
                Some(format!("{} names {}, which {reason}", source.name(), path.join("::")))
            };
            source.paths.iter().filter_map(complain).collect::<Vec<_>>()
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn every_room_has_a_floor_and_a_sentence() {
    let rooms: BTreeSet<String> = sources().iter().map(|source| source.room().to_owned()).collect();
    assert_eq!(rooms, floors().into_keys().collect(), "src against the table in ARCHITECTURE.md");
    for source in sources().iter().filter(|source| source.room() == "api" && source.module.len() > 1) {
        assert!(place_in_api(&source.module[1]).is_some(), "{} has no place within api", source.name());
    }
}

#[test]
fn only_the_rooms_of_http_speak_of_hyper() {
    let hyper = pattern(r"\b(?:hyper|hyper_util|http_body_util)::");
    let sources = sources();
    let speakers = sources.iter().filter(|source| hyper.is_match(&source.text)).map(Source::name);
    let others: Vec<String> =
        speakers.filter(|name| !ROOMS_OF_HTTP.iter().any(|room| name.split("::").next() == Some(room))).collect();
    assert!(others.is_empty(), "only {ROOMS_OF_HTTP:?} may speak of hyper, and so do: {others:#?}");
}

#[test]
fn nothing_is_public_for_one_room_only() {
    for source in sources() {
        assert!(!source.text.contains("pub(in "), "{} hides a circle behind pub(in …)", source.name());
    }
}
