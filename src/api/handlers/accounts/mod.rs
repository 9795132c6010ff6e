//! Signing in and out, one's own account, and what administrators do to the accounts of others.

pub mod enrolment;
pub mod own;
pub mod people;
pub mod second_step;
pub mod sign_in;
pub mod sign_out;
#[cfg(test)]
mod tests;
