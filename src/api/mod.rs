//! The HTTP front: hyper, one route table, and handlers that return a response or an [`error::ApiError`].
//!
//! A request passes, in this order: [`server`] (deadlines, the access line), [`client`] (whose it is, its request id),
//! [`host`] (is it meant for us, does it come from our page), [`routes`] (which handler, which path parameters), and in a
//! task of its own the handler. To add a route, write `async fn(Arc<App>, Request) -> Result<Response, ApiError>`, give it
//! a line in [`routes::ROUTES`], and say there what it takes and gives: `openapi.json` is made of that.
//!
//! Handlers know the spool through the [`mirror`], and change it by dropping files into it.

pub mod app;
pub mod auth;
mod blocking;
pub mod body;
pub mod changes;
pub mod client;
pub mod defences;
pub mod error;
pub mod events;
pub mod favicon;
pub mod gerrit;
pub mod health;
pub mod host;
pub mod idempotency;
pub mod job;
pub mod job_types;
pub mod jobs;
pub mod listener;
pub mod metrics;
pub mod mirror;
pub mod monitoring;
pub mod openapi;
pub mod outbound;
pub mod page;
pub mod pause;
pub mod percent;
pub mod preflight;
pub mod query;
pub mod request;
pub mod request_id;
pub mod response;
pub mod routes;
pub mod runner;
pub mod server;
#[cfg(test)]
mod shapes;
pub mod start;
pub mod state_directory;
pub mod streams;
#[cfg(test)]
mod testing;
pub mod text;
pub mod train;
pub mod whoami;
