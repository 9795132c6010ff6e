//! HTTP by hyper: what any service needs, and none of the words of this one.
//!
//! | question | file |
//! |---|---|
//! | Where do connections come in, and how are they served and ended? | [`listener`], [`server`] |
//! | Where does a request come from, and what is its id? | [`client`], [`request_id`] |
//! | Is it meant for this service? | [`host`] |
//! | What does it ask for? | [`path`], [`query`], [`percent`], [`negotiation`] |
//! | In which words does a route say what it reads and answers? | [`describe`] |
//! | What does a handler answer? | [`response`], [`body`] (also piece by piece), [`files`]; [`error`] if it fails |
//! | How many streams does somebody have? | [`streams`] |
//! | Which header fields does every response have? | [`defences`] |

pub mod body;
pub mod client;
pub mod defences;
pub mod describe;
pub mod error;
pub mod files;
pub mod host;
pub mod listener;
pub mod negotiation;
pub mod path;
pub mod percent;
pub mod query;
pub mod request_id;
pub mod response;
pub mod server;
pub mod streams;
