//! Hyper, and nothing of SpiderPig: what any HTTP service needs.
//!
//! [`server`] accepts connections and answers requests, each in a task of its own; [`listener`] is where they come in.
//! [`client`] tells where a request comes from, [`host`] whether it is meant for this service; [`path`], [`query`] and
//! [`percent`] read what it says. [`describe`] has the words in which a route says what it takes and answers. [`response`] and [`body`] make answers, whole or piece by piece; [`error`] is the answer to a request
//! that fails.

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
