//! Whether changes can be deployed together: each change by itself ([`state`]), and what it depends on ([`chain`]).

pub mod chain;
pub mod finding;
pub mod state;
