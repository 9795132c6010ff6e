//! Who asks, and what they may do.

pub mod document;
pub mod password;
pub mod users;
