//! The HTTP interface of SpiderPig: one [`table`] of routes, and [`handlers`] that ask the services of [`app`].
//!
//! To add a route, write `async fn(Arc<App>, Request) -> Result<Response, ApiError>` among the handlers, give it a line in
//! [`table::ROUTES`], and say there what it reads and answers: [`document`] makes `openapi.json` of that.
//!
//! Handlers know the spool through the mirror, and change it by dropping files into it.
//!
//! [`front`] admits requests and runs their handlers, [`failure`] tells the failures of services in HTTP, and [`start`]
//! makes a running service of a configuration.

pub mod app;
pub mod document;
pub mod failure;
pub mod front;
pub mod handlers;
pub mod job;
pub mod record;
pub mod refusals;
pub mod request;
pub mod route;
#[cfg(test)]
mod shapes;
pub mod start;
pub mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod walk;
