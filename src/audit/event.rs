//! The events that the audit trail tells of.

/// Something that somebody did, or was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// They signed in.
    SignIn,
    /// They could not sign in.
    SignInRefused,
    /// They showed their second factor.
    SecondFactor,
    /// A code of their second factor was wrong.
    SecondFactorRefused,
    /// A second factor was changed, or the host told it. `details.what` is `enrolled`, `removed`,
    /// `recovery_codes`, `reset`, `shown` (its key) or `code_told`.
    SecondFactorChanged,
    /// They signed out.
    SignOut,
    /// Sessions were ended, theirs or those of others.
    SessionsEnded,
    /// They started a job.
    Start,
    /// They answered a prompt.
    Answer,
    /// They stopped a job.
    Signal,
    /// They read sensitive lines of a log.
    Reveal,
    /// They paused the runner: no new job starts.
    Pause,
    /// They ended the pause.
    Resume,
    /// An account was changed.
    AccountChanged,
    /// A token was made or revoked.
    TokenChanged,
    /// There were too many attempts, and further ones are refused for a while.
    Locked,
    /// They asked for something that they may not do, or sent an unknown token.
    Refused,
}

impl Event {
    /// All events.
    pub const ALL: [Self; 17] = [
        Self::SignIn,
        Self::SignInRefused,
        Self::SecondFactor,
        Self::SecondFactorRefused,
        Self::SecondFactorChanged,
        Self::SignOut,
        Self::SessionsEnded,
        Self::Start,
        Self::Answer,
        Self::Signal,
        Self::Reveal,
        Self::Pause,
        Self::Resume,
        Self::AccountChanged,
        Self::TokenChanged,
        Self::Locked,
        Self::Refused,
    ];

    /// The words for [`ALL`](Self::ALL), in the same order.
    pub const WORDS: &[&str] = &{
        let mut words = [""; Self::ALL.len()];
        let mut index = 0;
        while index < words.len() {
            words[index] = Self::ALL[index].word();
            index += 1;
        }
        words
    };

    /// Its word in the file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignInRefused => "sign_in_refused",
            Self::SecondFactor => "second_factor",
            Self::SecondFactorRefused => "second_factor_refused",
            Self::SecondFactorChanged => "second_factor_changed",
            Self::SignOut => "sign_out",
            Self::SessionsEnded => "sessions_ended",
            Self::Start => "start",
            Self::Answer => "answer",
            Self::Signal => "signal",
            Self::Reveal => "reveal",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::AccountChanged => "account_changed",
            Self::TokenChanged => "token_changed",
            Self::Locked => "locked",
            Self::Refused => "refused",
        }
    }

    /// The event of this word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.word() == word)
    }
}
