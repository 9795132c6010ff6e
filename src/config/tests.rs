//! Tests of the whole file: the settings of a complete file, and the message for each mistake.

mod render;

use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::spool::outcome::{Outcome, OutcomeRule};

const COMPLETE: &str = r#"
spool = "/srv/spool"

[api]
listen = "unix:/run/spiderpig/api.sock"
public_url = "https://deploy.example.org/"
trusted_proxies = ["192.0.2.1", "2001:db8::1", "unix"]
state_directory = "/srv/api"
log_format = "json"

[auth]
mode = "cas"
dev_user = ""
users_file = "/srv/users.toml"
user_groups = ["deployers", "train"]
admin_groups = ["root"]
viewer_groups = ["readers"]
two_factor = false
[auth.cas]
server_url = "https://idp.example.org/"

[runner]
trusted_submitters = ["web", "cron"]
stop_grace = "5s"
watch = false
rescan = "1m"
cgroup = "/sys/fs/cgroup/spiderpig"

[lanes.mediawiki]
concurrency = 2
[lanes.spare]

[gerrit]
url = "https://gerrit.example.org/r"
branches = ["wmf/.*", "master"]
[phorge]
url = "https://phorge.example.org/"

[job_types.train]
command = ["scap", "train"]

[job_types.backport]
title = "MediaWiki Backport"
help = "Backports changes"
command = ["scap", "backport", ["--stop-before-sync", "{stop}"], "{change_url}"]
lane = "mediawiki"
groups = ["deployers"]
time_limit = "2h"
quiet_after = "10m"
outcomes = [{ outcome = "rolled_back", prompt = 'Go on\?', answer = "r", status = "back", exit = [0, 3] }]
retry = false
env = { LANG = "C.UTF-8" }
working_directory = "/srv/mediawiki-staging"
env_file = "/etc/spiderpig/backport.env"
max_log = "500MiB"
leftovers = "leave"
umask = "002"
[[job_types.backport.params]]
name = "change_url"
kind = "gerrit-change"
many = true
required = true
[[job_types.backport.params]]
name = "stop"
title = "Stop before the sync"
help = "Only prepare"
kind = "boolean"
default = false
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/sp.toml"), text)
}

#[test]
fn a_complete_file_is_read_as_it_says() {
    let config = parse(COMPLETE).unwrap();
    assert_eq!(config.path, Path::new("/etc/sp.toml"));
    assert_eq!(config.spool, Path::new("/srv/spool"));
    assert_eq!(
        config.api,
        ApiConfig {
            listen: Listen::Unix("/run/spiderpig/api.sock".into()),
            public_url: "https://deploy.example.org".to_owned(),
            trusted_proxies: ["192.0.2.1", "2001:db8::1", "unix"].map(|text| text.parse().unwrap()).into(),
            state_directory: "/srv/api".into(),
            log_format: LogFormat::Json,
        }
    );
    assert_eq!(
        config.auth,
        AuthConfig {
            mode: AuthMode::Cas { server_url: "https://idp.example.org".to_owned() },
            dev_user: None,
            users_file: "/srv/users.toml".into(),
            user_groups: vec!["deployers".to_owned(), "train".to_owned()],
            admin_groups: vec!["root".to_owned()],
            viewer_groups: vec!["readers".to_owned()],
            unsolicited_tickets: false,
            two_factor: false,
        }
    );
    assert_eq!(
        config.runner,
        RunnerConfig {
            trusted_submitters: vec!["web".to_owned(), "cron".to_owned()],
            stop_grace: Duration::from_secs(5),
            watch: false,
            rescan: Duration::from_mins(1),
            cgroup: Some("/sys/fs/cgroup/spiderpig".into()),
        }
    );
    assert_eq!((config.lane_concurrency("mediawiki"), config.lane_concurrency("spare")), (2, 1));
    assert_eq!(config.lane_concurrency("undeclared"), 1);
    assert_eq!(config.lane_names().into_iter().collect::<Vec<_>>(), ["default", "mediawiki", "spare"]);
    assert_eq!(config.gerrit.url.as_ref().unwrap().as_str(), "https://gerrit.example.org/r/");
    assert!(config.gerrit.deploys("wmf/1.46.0-wmf.3") && config.gerrit.deploys("master"));
    assert!(!config.gerrit.deploys("sandbox/master"));
    assert_eq!(config.phorge.url, "https://phorge.example.org");
    assert_eq!(config.job_types.keys().collect::<Vec<_>>(), ["train", "backport"], "the order of the file");
}

#[test]
fn a_complete_job_type_is_read_as_it_says() {
    let config = parse(COMPLETE).unwrap();
    let backport = config.job_type("backport").unwrap();
    assert_eq!((backport.name.as_str(), backport.title.as_str()), ("backport", "MediaWiki Backport"));
    assert_eq!(backport.help.as_deref(), Some("Backports changes"));
    assert_eq!((backport.lane.as_str(), &backport.groups), ("mediawiki", &vec!["deployers".to_owned()]));
    assert_eq!((backport.time_limit, backport.retry), (Some(Duration::from_hours(2)), false));
    assert_eq!(backport.quiet_after, Some(Duration::from_mins(10)));
    let rule = OutcomeRule {
        outcome: Outcome::RolledBack,
        prompt: Some("Go on\\?".to_owned()),
        answer: Some("r".to_owned()),
        status: Some("back".to_owned()),
        exit: Some(vec![0, 3]),
    };
    assert_eq!(backport.outcomes, [rule]);
    assert_eq!(backport.env, BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]));
    assert_eq!(backport.working_directory, Path::new("/srv/mediawiki-staging"));
    assert_eq!(backport.env_file.as_deref(), Some(Path::new("/etc/spiderpig/backport.env")));
    assert_eq!((backport.max_log, backport.leftovers, backport.umask), (500 << 20, Leftovers::Leave, 0o002));
    let [change_url, stop] = &backport.params[..] else { panic!("two parameters") };
    assert_eq!((change_url.name.as_str(), change_url.title.as_str()), ("change_url", "change_url"));
    assert_eq!((change_url.kind.name(), change_url.many, change_url.required), ("gerrit-change", true, true));
    assert_eq!((stop.title.as_str(), stop.help.as_deref()), ("Stop before the sync", Some("Only prepare")));
    assert_eq!((stop.kind.name(), stop.default.clone()), ("boolean", Some(false.into())));
}

#[test]
fn everything_has_a_default_but_the_job_types() {
    let config = parse("[job_types.x]\ncommand = ['true']").unwrap();
    assert_eq!(config.spool, Path::new("/var/spool/spiderpig"));
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8000");
    assert_eq!(config.api.public_url, "http://localhost:8000");
    assert_eq!(config.api.state_directory, Path::new("/var/lib/spiderpig-api"));
    assert_eq!((&config.auth.mode, config.auth.two_factor), (&AuthMode::Local, true));
    assert_eq!(config.auth.users_file, Path::new("/etc/spiderpig/users.toml"));
    assert_eq!(
        (&config.auth.user_groups[..], &config.auth.admin_groups[..]),
        (&["deployers".into()][..], &["admins".into()][..])
    );
    assert_eq!(config.runner.trusted_submitters, ["spiderpig-api"]);
    assert_eq!((config.runner.stop_grace, config.runner.rescan), (Duration::from_secs(10), Duration::from_secs(30)));
    assert!(config.runner.watch);
    assert_eq!(config.gerrit.url.as_ref().unwrap().as_str(), "https://gerrit.wikimedia.org/r/");
    assert!(config.gerrit.deploys("any"));
    assert_eq!(config.phorge.url, "https://phabricator.wikimedia.org");
    let x = config.job_type("x").unwrap();
    assert_eq!((x.title.as_str(), x.lane.as_str(), x.time_limit, x.retry), ("x", "default", None, true));
    assert_eq!((x.working_directory.as_path(), x.env_file.as_deref()), (Path::new("/"), None));
    assert_eq!((x.max_log, x.leftovers, x.umask), (2 << 30, Leftovers::Stop, 0o022));
    assert!(parse("").is_ok());
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let mut example = parse(include_str!("tests/example.toml")).unwrap();
    let backport = example.job_types.swap_remove("backport").unwrap();
    let defaults = parse("[job_types.backport]\ncommand = ['scap']").unwrap();
    assert_eq!((&example.spool, &example.api, &example.auth), (&defaults.spool, &defaults.api, &defaults.auth));
    assert_eq!((&example.runner, &example.gerrit), (&defaults.runner, &defaults.gerrit));
    assert_eq!((&example.phorge, &example.lanes["mediawiki"]), (&defaults.phorge, &LaneConfig { concurrency: 1 }));
    let same = defaults.job_type("backport").unwrap();
    assert_eq!((&backport.groups, backport.retry, &backport.env), (&same.groups, same.retry, &same.env));
    assert_eq!((&backport.working_directory, &backport.env_file), (&same.working_directory, &same.env_file));
    assert_eq!((backport.max_log, backport.leftovers, backport.umask), (same.max_log, same.leftovers, same.umask));
}

#[test]
fn the_hash_is_of_the_bytes() {
    // The output of `printf '# x\n' | sha256sum`.
    let shared = |text: &str| parse(text).unwrap().shared_hash;
    assert_eq!(shared("[api]\nlisten = '127.0.0.1:1'"), shared("# x\n[auth]\nmode = 'none'"), "that is not shared");
    let job = |command: &str| shared(&format!("[job_types.a]\ncommand = ['{command}']"));
    assert!(job("a") == job("a") && job("a") != job("b") && job("a") != shared(""));
    assert_eq!(parse("# x\n").unwrap().hash, "253b610bd786f2543252c8d4b45bb40eb375882587f825cb9ce1fd1241f66f1e");
}

#[test]
fn the_rules_of_scap_are_those_of_the_program_scap_and_of_whoever_wants_them() {
    let count = |job_type: &str| parse(&format!("[job_types.x]\n{job_type}")).unwrap().job_types["x"].outcomes.len();
    let of_scap = count("command = ['scap']");
    assert!(of_scap > 3);
    assert_eq!(count("command = ['/usr/bin/scap', 'train']"), of_scap);
    assert_eq!(count("command = ['replay']\noutcomes = ['scap']"), of_scap);
    assert_eq!(count("command = ['replay']\noutcomes = [{ outcome = 'failed', exit = 0 }, 'scap']"), of_scap + 1);
    assert_eq!(
        ["['notscap']", "['x', 'scap']", "['scap']\noutcomes = []"].map(|c| count(&format!("command = {c}"))),
        [0; 3]
    );
    for rule in &parse("job_types.x.command = ['scap']").unwrap().job_types["x"].outcomes {
        for pattern in [&rule.prompt, &rule.answer, &rule.status].into_iter().flatten() {
            regex::Regex::new(pattern).unwrap();
        }
    }
}

#[test]
fn the_path_is_the_flag_then_the_environment_then_the_default() {
    let chosen =
        |flag: Option<&str>, environment: Option<&str>| choose_path(flag.map(Into::into), environment.map(Into::into));
    assert_eq!(chosen(Some("/a"), Some("/b")), Path::new("/a"));
    assert_eq!(chosen(None, Some("/b")), Path::new("/b"));
    assert_eq!(chosen(None, Some("")), Path::new(DEFAULT_PATH));
    assert_eq!(chosen(None, None), Path::new(DEFAULT_PATH));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let missing = Config::load(Path::new("/nonexistent/sp.toml")).map(|_| ()).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "cannot read the configuration /nonexistent/sp.toml: No such file or directory (os error 2)"
    );
    let mut file = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut file, b"# one\n# two \xff\n").unwrap();
    let error = Config::load(file.path()).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}:2: not UTF-8 text; save the file as UTF-8", file.path().display()));
}

#[test]
fn a_listener_from_elsewhere_is_checked_the_same_way() {
    let auth = parse("[auth]\nmode = 'none'").unwrap().auth;
    assert_eq!(auth.check_listener(&"[::1]:80".parse().unwrap()), Ok(()));
    assert_eq!(auth.check_listener(&"unix:/run/x".parse().unwrap()), Ok(()));
    let open: Listen = "0.0.0.0:80".parse().unwrap();
    assert_eq!(auth.check_listener(&open), Err(OpenToAll(open.clone())));
    assert_eq!(parse("").unwrap().auth.check_listener(&open), Ok(()));
}

/// Checks a list of mistakes. Each has the text after `prefix` in the file, and after `=>` the line and the message.
///
/// The list is a text, so that people can read and compare all messages.
fn check_mistakes(prefix: &str, mistakes: &str) {
    let answer = |case: &str| {
        let text = case.split_once("\n=>").map_or(case, |(text, _)| text);
        let error = Config::parse(Path::new(""), &format!("{prefix}{text}")).map(|_| ()).unwrap_err();
        format!("{text}\n=> {}", error.to_string().trim_start_matches(':'))
    };
    let answers: Vec<String> = mistakes.trim_end().split("\n\n").map(answer).collect();
    assert_eq!(mistakes, answers.join("\n\n") + "\n");
}

#[test]
fn mistakes_in_the_settings() {
    check_mistakes("", include_str!("tests/settings.txt"));
}

#[test]
fn mistakes_in_a_job_type() {
    check_mistakes("", include_str!("tests/job_type.txt"));
}

#[test]
fn mistakes_in_a_parameter() {
    check_mistakes(PARAM, include_str!("tests/param.txt"));
}

#[test]
fn mistakes_in_a_command() {
    check_mistakes(COMMAND, include_str!("tests/command.txt"));
}

const PARAM: &str = "job_types.x.command = ['x']\n[[job_types.x.params]]\n";

const COMMAND: &str = "[job_types.x]
params = [{ name = 'one', kind = 'string' }, { name = 'many', kind = 'string', many = true },
{ name = 'switch', kind = 'boolean' }]
";

#[test]
fn deep_nesting_is_refused_before_it_can_exhaust_the_stack() {
    assert!(parse(&format!("spool = {}", "[".repeat(100_000))).is_err());
    assert!(parse(&format!("spool = {}", "{a=".repeat(100_000))).is_err());
    assert!(parse(&format!("[{}a]", "a.".repeat(100_000))).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in r#"(\[{1,2}(api|auth|job_types\.[a-z"]{1,3}(\.params|\.env)?)\]{1,2}|[a-z_"'.]{1,9} ?= ?|command = |[\[\]{}"',:=\\0-9é#-]|"[a-z{}:,]*"|true|\n| ){0,40}"#) {
        let _ = parse(&text);
    }

    #[test]
    fn no_damage_to_a_complete_file_makes_it_panic(at in 0..COMPLETE.len(), cut in 0..20_usize, text in ".{0,3}") {
        let mut damaged = COMPLETE.as_bytes().to_vec();
        let end = (at + cut).min(damaged.len());
        damaged.splice(at..end, text.bytes());
        let _ = parse(&String::from_utf8_lossy(&damaged));
    }

    #[test]
    fn no_command_template_makes_it_panic(template in r"([{}:,a-z-]|one|many|switch){0,20}") {
        let _ = parse(&format!("{COMMAND}command = ['x', '{template}', ['{template}']]"));
    }
}
