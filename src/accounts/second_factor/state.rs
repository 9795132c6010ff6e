//! What a user still has to do for their second factor.

use serde::Serialize;

/// How somebody stands with the second factor. The page knows each state by its word in lower case, such as `enrol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SecondFactorState {
    /// They have none, and need none.
    Off,
    /// They have one, and must show a code of it now.
    Code,
    /// They need one, and must set it up now.
    Enrol,
    /// They have shown it.
    On,
}
