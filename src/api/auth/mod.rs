//! Who asks, and what they may do.

pub mod audit;
pub mod cas;
pub mod document;
pub mod password;
pub mod tokens;
pub mod users;
