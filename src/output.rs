//! The output of jobs as people see it: lines that look like errors ([`errors`]), and colours ([`colours`]).

pub mod colours;
pub mod errors;
