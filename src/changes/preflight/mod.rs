//! Whether changes can be deployed together.
//!
//! | question | file |
//! |---|---|
//! | What speaks against all of them? | [`report`] |
//! | What does a change itself say? | [`state`] |
//! | What does it depend on? | [`chain`] |
//! | Which job has it already? | [`in_job`] |
//! | How is something told that was found? | [`finding`] |

pub mod chain;
pub mod finding;
pub mod in_job;
pub mod report;
pub mod state;
