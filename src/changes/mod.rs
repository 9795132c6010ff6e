//! Changes in Gerrit: [`gerrit`] looks them up, [`preflight`] says whether they can be deployed together.

pub mod gerrit;
pub mod preflight;
