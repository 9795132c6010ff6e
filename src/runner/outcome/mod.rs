//! How a job ended: derived once from its log, at its end.
//!
//! The journal of a supervisor feeds an [`Account`] with each record that it writes; for a job whose supervisor died,
//! recovery feeds one from the log. Both ask it for the same [`End`].

mod account;
mod end;
mod last_error;
mod rules;
pub mod words;

pub use account::{Account, TYPES};
pub use end::End;
