//! `monitoring/`: files of other programs, which the API must be able to read and to understand.

use std::os::unix::fs::MetadataExt as _;

use crate::spool::monitoring;
use crate::spool::monitoring::{Document, MediaWikiErrors, Train};
use crate::spool::{Error, Spool};

use super::finding::{Finding, Findings};
use super::shape::Owner;
use super::shell::quote;
use super::tree::{is_hidden, look, names, unknown};

/// The mode bit that lets group members read a file.
const GROUP_READS: u32 = 0o040;

pub(super) fn check(spool: &Spool, owner: Owner, findings: &mut Findings) {
    for name in names(&spool.monitoring(), findings) {
        if name == *Train::NAME {
            check_document::<Train>(spool, owner, findings);
        } else if name == *MediaWikiErrors::NAME {
            check_document::<MediaWikiErrors>(spool, owner, findings);
        } else if !is_hidden(&name) {
            findings.add(unknown(&spool.monitoring().join(name)));
        }
    }
}

fn check_document<T: Document>(spool: &Spool, owner: Owner, findings: &mut Findings) {
    let path = monitoring::path::<T>(spool);
    let Some(metadata) = look(&path, findings) else { return };
    match monitoring::read::<T>(spool) {
        Err(Error::Invalid { reason, .. }) => findings.add(Finding::new(
            quote(&path),
            format!("does not match the layout, so pages show its last valid content: {reason}"),
            "correct the program that writes it; spool-layout.md describes the content",
        )),
        Err(error) => findings.add(Finding::new(quote(&path), error.to_string(), "run the check as root")),
        Ok(_) if metadata.gid() != owner.group || metadata.mode() & GROUP_READS == 0 => findings.add(Finding::new(
            quote(&path),
            format!("cannot be read by the group {} of the spool", owner.group_name()),
            format!(
                "have the program that writes it run: chgrp {0} {1} && chmod 0640 {1}",
                owner.group_name(),
                quote(&path)
            ),
        )),
        Ok(_) => {}
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write what others write")]
mod tests {
    use crate::check::testing::Scene;
    use crate::spool::atomic::set_mode;

    const ERRORS: &str = r#"{ "format": 1, "time": "2026-11-24T08:00:00Z", "log": {} }"#;

    fn write(scene: &Scene, name: &str, content: &str, mode: u32) {
        std::fs::write(scene.path("monitoring").join(name), content).unwrap();
        set_mode(&scene.path("monitoring").join(name), mode).unwrap();
    }

    #[test]
    fn files_in_order_and_those_that_are_being_written_are_no_findings() {
        let scene = Scene::new();
        write(&scene, "mediawiki.json", ERRORS, 0o644);
        write(&scene, ".train.json.x", "{", 0o600);
        assert_eq!(scene.findings(), "");
    }

    #[test]
    fn what_the_api_cannot_read_or_understand_is_named() {
        let scene = Scene::new();
        write(&scene, "mediawiki.json", ERRORS, 0o600);
        write(&scene, "train.json", "{ \"format\": 2 }", 0o640);
        write(&scene, "errors.json", "", 0o640);
        let findings = scene.findings();
        for expected in [
            "SPOOL/monitoring/errors.json: is not part of the spool layout\n",
            "SPOOL/monitoring/mediawiki.json: cannot be read by the group",
            "SPOOL/monitoring/train.json: does not match the layout, so pages show its last valid content: its \
             `format` \
             is 2, and this program knows 1\n  fix: correct the program that writes it",
        ] {
            assert!(findings.contains(expected), "{findings}");
        }
        assert_eq!(findings.matches("fix: ").count(), 3, "{findings}");
    }

    #[test]
    fn a_file_that_others_may_write_is_named() {
        let scene = Scene::new();
        write(&scene, "mediawiki.json", ERRORS, 0o666);
        assert!(scene.findings().contains("it can be written by group or others (mode 0666)"), "{}", scene.findings());
    }
}
