//! Links of Markdown files, and the anchors that they may lead to.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::text;
use crate::demo::repository;

/// A link, with its text and its target.
static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\[([^\]]*)\]\(([^)\s]+)(?: "[^"]*")?\)"#).unwrap());

/// A file without its blocks of code.
fn prose(text: &str) -> Vec<&str> {
    let mut is_code = false;
    let mut is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    };
    text.lines().filter(|line| is_prose(line)).collect()
}

/// The anchor that a heading gets, as forges and mdBook make it.
fn slug(heading: &str) -> String {
    let heading = LINK.replace_all(heading.trim(), "$1").to_lowercase();
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        letter if letter.is_alphanumeric() => Some(letter),
        _ => None,
    };
    heading.chars().filter_map(kept).collect()
}

/// Every anchor of a text.
fn anchors(text: &str) -> BTreeSet<String> {
    let made = Regex::new(r#"<a id="([^"]+)">"#).unwrap();
    let mut anchors: BTreeSet<String> = made.captures_iter(text).map(|captures| captures[1].to_owned()).collect();
    let mut seen: HashMap<String, u32> = HashMap::new();
    for line in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            let slug = slug(heading);
            let before = seen.entry(slug.clone()).or_default();
            anchors.insert(if *before == 0 { slug } else { format!("{slug}-{before}") });
            *before += 1;
        }
    }
    anchors
}

/// A path without `..`; `None` if it leads out of the repository.
fn resolve(directory: &Path, path: &str) -> Option<PathBuf> {
    let mut resolved = PathBuf::new();
    for component in directory.join(path).components() {
        match component {
            Component::Normal(name) => resolved.push(name),
            Component::ParentDir if !resolved.pop() => return None,
            Component::RootDir => return None,
            _ => {}
        }
    }
    Some(resolved)
}

/// What is wrong with a link that stands in a document; `None` if it leads somewhere.
fn fault(document: &Path, link: &str) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = if path.is_empty() {
        document.to_owned()
    } else {
        let Some(target) = resolve(document.parent().unwrap(), path) else {
            return Some("leads out of the repository");
        };
        target
    };
    if !fs::exists(repository().join(&target)).unwrap() {
        return Some("no such file");
    }
    let anchor = anchor?;
    if target.extension().is_none_or(|extension| extension != "md") {
        return Some("only Markdown files have anchors");
    }
    (!anchors(&text(&target)).contains(anchor)).then_some("no such heading")
}

/// The links of a document that lead nowhere, in words.
pub fn broken(document: &Path) -> Vec<String> {
    let code = Regex::new(r"`[^`]*`").unwrap();
    let text = text(document);
    let prose = prose(&text).join("\n");
    let prose = code.replace_all(&prose, "");
    let links = LINK.captures_iter(&prose).map(|captures| captures[2].to_owned());
    let faults = links.filter_map(|link| Some((fault(document, &link)?, link)));
    faults.map(|(fault, link)| format!("{}: {link}: {fault}", document.display())).collect()
}

#[test]
fn headings_have_the_anchors_that_forges_give_them() {
    for (heading, slug) in [
        (" monitoring/train.json", "monitoringtrainjson"),
        (" `jobs/N/log.jsonl`", "jobsnlogjsonl"),
        (" What waits, and why", "what-waits-and-why"),
        (" [A link](x.md) and more", "a-link-and-more"),
    ] {
        assert_eq!(self::slug(heading), slug);
    }
    let twice = anchors("# A\n## B\n```\n# no heading\n```\n## B\n<a id=\"own\"></a>\n");
    assert_eq!(twice, ["a", "b", "b-1", "own"].map(String::from).into());
}

#[test]
fn what_leads_nowhere_is_told() {
    let from = Path::new("docs/index.md");
    for good in ["https://example.org/x", "../README.md", "install.md#build", "#a-tour-of-the-page", "screenshots"] {
        assert_eq!(fault(from, good), None, "{good}");
    }
    for bad in ["nothing.md", "../../README.md", "install.md#nothing", "#nothing", "/README.md", "../LICENSE#x"] {
        assert!(fault(from, bad).is_some(), "{bad}");
    }
}
