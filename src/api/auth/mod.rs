//! Who asks, and what they may do.

pub mod document;
pub mod second_factor;
