//! What jobs print, as people see it: which lines look like errors ([`errors`]), and colours ([`colours`]).

pub mod colours;
pub mod errors;
