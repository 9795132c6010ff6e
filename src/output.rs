//! What jobs print, as people see it.

pub mod colours;
pub mod errors;
