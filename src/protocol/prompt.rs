//! A prompt of a job, and the check of answers to it.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// The longest answer, in bytes.
pub const MAX_ANSWER: usize = 4_000;

const BOLD: &str = "\u{1b}[1m";
const NORMAL: &str = "\u{1b}[0m";

/// A question of a job, which waits for the answer.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Prompt {
    /// The question. It may have several lines.
    pub prompt: String,
    /// The answer is only for the job: it is hidden from people and not stored.
    #[serde(default)]
    pub sensitive: bool,
    /// The possible answers.
    #[serde(flatten)]
    pub kind: PromptKind,
}

/// The two kinds of prompts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PromptKind {
    /// One of several choices.
    Choices {
        /// The label for people → the code for the job, in the order of the job.
        choices: IndexMap<String, String>,
        /// The code for an empty answer.
        default: Option<String>,
    },
    /// Any one line, including an empty one.
    InputLine,
}

impl PromptKind {
    /// The reason why one of the choices can never be chosen, if there is such a choice.
    #[must_use]
    pub fn unanswerable(&self) -> Option<String> {
        let Self::Choices { choices, default } = self else { return None };
        choices.iter().find_map(|(label, code)| {
            let problem = if code.len() > MAX_ANSWER {
                format!("has {} bytes, and an answer has at most {MAX_ANSWER}", code.len())
            } else if code.contains(char::is_control) {
                "has a control character, which no answer may have".to_owned()
            } else if code.is_empty() && default.as_ref().is_some_and(|default| !default.is_empty()) {
                "is empty, which stands for the default".to_owned()
            } else {
                return None;
            };
            let label = label.get(..label.floor_char_boundary(80)).unwrap_or_default().escape_debug();
            Some(format!("the code of the choice “{label}” {problem}"))
        })
    }
}

/// The reason why a text is not a valid answer to a prompt.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AnswerError {
    /// The answer has a control character. A newline would also answer the next prompt.
    #[error("an answer is one line without control characters")]
    Control,
    /// The answer is longer than [`MAX_ANSWER`].
    #[error("an answer has at most {MAX_ANSWER} bytes; this one has {0}")]
    TooLong(usize),
    /// The answer is empty, and the prompt has no default.
    #[error("this prompt has no default; answer one of: {0}")]
    NoDefault(String),
    /// The answer is not one of the codes.
    #[error("“{answer}” is not a choice; answer one of: {codes}")]
    NotAChoice {
        /// The answer.
        answer: String,
        /// The valid codes.
        codes: String,
    },
}

impl Prompt {
    /// The lines as a terminal would show them. The answer is typed after the last one.
    #[must_use]
    pub fn render(&self) -> Vec<String> {
        let PromptKind::Choices { choices, default } = &self.kind else {
            return lines(&self.prompt, if self.prompt.ends_with(char::is_whitespace) { "" } else { ": " });
        };
        let default = default.as_deref();
        if is_yes_or_no(choices) {
            let hint = match default {
                Some("y") => " [Y/n]: ",
                Some("n") => " [y/N]: ",
                _ => " [y/n]: ",
            };
            return lines(&self.prompt, hint);
        }
        let (introduction, question) = match self.prompt.rsplit_once("\n\n") {
            Some((introduction, question)) => (lines(introduction, "\n"), question),
            None => (Vec::new(), self.prompt.as_str()),
        };
        let choices = choices.iter().map(|(label, code)| {
            if Some(code.as_str()) == default {
                format!("{BOLD}[{code}] {label}{NORMAL}")
            } else {
                format!("[{code}] {label}")
            }
        });
        let hint = default.map_or_else(|| ": ".to_owned(), |code| format!(" (default: [{code}]): "));
        introduction.into_iter().chain(choices).chain(lines(question, &hint)).collect()
    }

    /// Checks whether the text answers this prompt.
    ///
    /// # Errors
    /// The answer is not valid. The text of the error tells people which answers are.
    pub fn check(&self, answer: &str) -> Result<(), AnswerError> {
        if answer.len() > MAX_ANSWER {
            return Err(AnswerError::TooLong(answer.len()));
        }
        if answer.contains(char::is_control) {
            return Err(AnswerError::Control);
        }
        let PromptKind::Choices { choices, default } = &self.kind else {
            return Ok(());
        };
        if choices.values().any(|code| code == answer) || (answer.is_empty() && default.is_some()) {
            return Ok(());
        }
        let codes = choices.values().map(String::as_str).collect::<Vec<_>>().join(", ");
        Err(if answer.is_empty() {
            AnswerError::NoDefault(codes)
        } else {
            AnswerError::NotAChoice { answer: answer.to_owned(), codes }
        })
    }
}

fn is_yes_or_no(choices: &IndexMap<String, String>) -> bool {
    let is = |label, code| choices.get(label).is_some_and(|found| found == code);
    choices.len() == 2 && is("Yes", "y") && is("No", "n")
}

/// The lines of a text, with `ending` after the last.
fn lines(text: &str, ending: &str) -> Vec<String> {
    format!("{text}{ending}").split('\n').map(|line| line.trim_end_matches('\r').to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(prompt: &str, choices: &[(&str, &str)], default: Option<&str>) -> Prompt {
        let choices = choices.iter().map(|&(label, code)| (label.to_owned(), code.to_owned())).collect();
        Prompt {
            prompt: prompt.to_owned(),
            sensitive: false,
            kind: PromptKind::Choices { choices, default: default.map(str::to_owned) },
        }
    }

    fn yes_or_no(default: Option<&str>) -> Prompt {
        choices("Backport?", &[("Yes", "y"), ("No", "n")], default)
    }

    fn input_line(prompt: &str) -> Prompt {
        Prompt { prompt: prompt.to_owned(), sensitive: false, kind: PromptKind::InputLine }
    }

    #[test]
    fn yes_and_no_are_a_hint_behind_the_question() {
        assert_eq!(yes_or_no(Some("y")).render(), ["Backport? [Y/n]: "]);
        assert_eq!(yes_or_no(Some("n")).render(), ["Backport? [y/N]: "]);
        assert_eq!(yes_or_no(None).render(), ["Backport? [y/n]: "]);
    }

    #[test]
    fn other_choices_are_a_line_each_between_introduction_and_question() {
        let prompt = choices("Synced.\n\nDone?\n\nGo on?", &[("Continue", "c"), ("Roll back", "r")], Some("r"));
        let expected =
            ["Synced.", "", "Done?", "", "[c] Continue", "\u{1b}[1m[r] Roll back\u{1b}[0m", "Go on? (default: [r]): "];
        assert_eq!(prompt.render(), expected);
        assert_eq!(choices("Go on?", &[("Yes", "y")], None).render(), ["[y] Yes", "Go on?: "]);
    }

    #[test]
    fn an_input_line_is_typed_behind_its_prompt() {
        assert_eq!(input_line("Which\nversion").render(), ["Which", "version: "]);
        assert_eq!(input_line("> ").render(), ["> "]);
    }

    #[test]
    fn an_answer_is_a_code_or_empty_where_there_is_a_default() {
        assert_eq!(yes_or_no(Some("y")).check("n"), Ok(()));
        assert_eq!(yes_or_no(Some("y")).check(""), Ok(()));
        assert_eq!(yes_or_no(None).check(""), Err(AnswerError::NoDefault("y, n".to_owned())));
        let error = yes_or_no(None).check("Yes").unwrap_err();
        assert_eq!(error.to_string(), "“Yes” is not a choice; answer one of: y, n");
    }

    #[test]
    fn an_answer_is_one_line_of_bounded_length() {
        assert_eq!(input_line("?").check(""), Ok(()));
        assert_eq!(input_line("?").check("any thing"), Ok(()));
        for control in ["a\nb", "\r", "\0", "\u{1b}[A", "\u{85}"] {
            assert_eq!(input_line("?").check(control), Err(AnswerError::Control));
        }
        assert_eq!(input_line("?").check(&"x".repeat(4_000)), Ok(()));
        assert_eq!(input_line("?").check(&"x".repeat(4_001)), Err(AnswerError::TooLong(4_001)));
    }

    #[test]
    fn a_choice_that_nobody_can_answer_is_known() {
        let problem =
            |code: &str, default| choices("Q", &[("Yes", "y"), ("Odd\u{1b}", code)], default).kind.unanswerable();
        for code in ["a\tb", "a\n", "\0", "\u{9b}1m"] {
            let expected = "the code of the choice “Odd\\u{1b}” has a control character, which no answer may have";
            assert_eq!(problem(code, None).as_deref(), Some(expected), "{code:?}");
        }
        assert!(problem(&"x".repeat(4_001), None).unwrap().contains("has 4001 bytes, and an answer has at most 4000"));
        assert!(problem("", Some("y")).unwrap().contains("is empty"));
        for (code, default) in [("", None), ("", Some("")), ("y", Some("y")), ("é =", Some("y"))] {
            assert_eq!(problem(code, default), None, "{code:?}");
        }
        assert_eq!(problem(&"x".repeat(4_000), None), None);
        assert_eq!(input_line("?").kind.unanswerable(), None);
    }

    #[test]
    fn a_prompt_survives_json() {
        let json = serde_json::to_value(yes_or_no(Some("y"))).unwrap();
        assert_eq!(json["kind"], "choices");
        assert_eq!(serde_json::from_value::<Prompt>(json).unwrap(), yes_or_no(Some("y")));
    }
}
