//! Texts of a job for use in a sentence: one line, and not too long.

use std::borrow::Cow;
use std::time::Duration;

use jiff::SignedDuration;

use crate::output::colours::Colours;

/// The longest text in a sentence, in bytes.
const LIMIT: usize = 160;
const ELLIPSIS: char = '…';

/// The names of signals from 1 on: signal(7), as on x86 and ARM.
const SIGNALS: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// A text in one line, without colours and control characters, and cut if it is long.
pub fn line(text: &str) -> String {
    line_of_at_most(LIMIT, text)
}

/// The same of at most so many bytes.
pub fn line_of_at_most(limit: usize, text: &str) -> String {
    let mut plain = String::new();
    Colours::default().strip(text, &mut plain);
    let plain: String = plain.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).fold(
        String::new(),
        |mut line, word| {
            if !line.is_empty() {
                line.push(' ');
            }
            line + word
        },
    );
    if plain.len() <= limit {
        return plain;
    }
    let end = plain.floor_char_boundary(limit - ELLIPSIS.len_utf8());
    with_ellipsis(&plain[..end])
}

/// What a prompt asks, in one line: the question at its end; or, if an explanation stands above that, how it begins.
pub fn question(prompt: &str) -> String {
    let prompt = prompt.trim();
    match prompt.rsplit_once("\n\n") {
        Some((explanation, _)) => {
            let first = explanation.lines().next().unwrap_or_default();
            let end = [". ", " ("].into_iter().filter_map(|end| first.find(end)).min().unwrap_or(first.len());
            line(&with_ellipsis(&first[..end]))
        }
        None => line(prompt.lines().last().unwrap_or_default()),
    }
}

fn with_ellipsis(text: &str) -> String {
    let mut text = text.trim_end_matches(|c: char| c.is_whitespace() || ".,:;".contains(c)).to_owned();
    text.push(ELLIPSIS);
    text
}

/// The phase of an event, as the end of a sentence.
pub fn within(phase: Option<&str>) -> Cow<'static, str> {
    phase.map_or(Cow::Borrowed(""), |phase| format!(" in the phase “{}”", line(phase)).into())
}

/// A duration in the form of the configuration: `1h 30m`.
pub fn duration(duration: Duration) -> String {
    SignedDuration::try_from(duration).map_or_else(|_| format!("{duration:?}"), |duration| format!("{duration:#}"))
}

/// A signal with its name.
pub fn signal(number: i32) -> String {
    let name = usize::try_from(number - 1).ok().and_then(|index| SIGNALS.get(index));
    name.map_or_else(|| format!("signal {number}"), |name| format!("signal {number} (SIG{name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_told_by_their_question() {
        let table = "The following changes are scheduled for backport:\n┌───┐\n│ 1 │\n└───┘\nBackport the changes?";
        let pause = "Changes synced to the testservers (see https://example.org/)\nPlease check.\n\nContinue?";
        for (prompt, question_of_it) in [
            ("Go on?", "Go on?"),
            ("  Go\ton?\n", "Go on?"),
            (table, "Backport the changes?"),
            (pause, "Changes synced to the testservers…"),
            ("Changes synced. (see there)\nCheck.\n\nGo on?", "Changes synced…"),
            ("Canary checks failed.\n\nWhat do you want to do?", "Canary checks failed…"),
            ("\x1b[1mSure?\x1b[0m\u{7}", "Sure?"),
            ("", ""),
        ] {
            assert_eq!(question(prompt), question_of_it, "{prompt:?}");
        }
        let long = question(&"é ".repeat(999));
        assert!(long.len() <= LIMIT && long.ends_with("é…"), "{long}");
    }

    #[test]
    fn durations_and_signals_have_names() {
        let seconds = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!([seconds(7200), seconds(5400), seconds(1)], ["2h", "1h 30m", "1s"]);
        assert_eq!(duration(Duration::from_millis(1500)), "1s 500ms");
        assert_eq!(signal(9), "signal 9 (SIGKILL)");
        assert_eq!(signal(31), "signal 31 (SIGSYS)");
        assert_eq!([signal(0), signal(34)], ["signal 0", "signal 34"]);
    }
}
