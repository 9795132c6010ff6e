//! The code that the host tells a user: who has a shell there needs no app.

use super::enrolment::Enrolment;

/// What the host tells a user who has a shell there.
pub struct HostCode {
    /// A code that is accepted now.
    pub code: Result<Code, AllUsed>,
    /// Whether there was no factor before.
    pub made: bool,
    /// What an authenticator app has to know.
    pub enrolment: Enrolment,
}

/// A code, and how long it is accepted.
pub struct Code {
    /// Six digits.
    pub digits: String,
    /// For so many seconds, if it is not used before.
    pub seconds: u64,
}

/// All codes of now have been used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllUsed {
    /// The next one is accepted in so many seconds. More than a minute if the clock went back.
    pub seconds: u64,
}
