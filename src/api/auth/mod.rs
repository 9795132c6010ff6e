//! Who asks, and what they may do.

pub mod audit;
pub mod document;
