//! The handlers, one for each route: `async fn(Arc<App>, Request) -> Result<Response, ApiError>`. They read a request,
//! ask a service, and write its answer. Only [the table](super::table) names them.

pub mod accounts;
pub mod audit;
pub mod changes;
pub mod events;
pub mod favicon;
pub mod health;
pub mod job_types;
pub mod jobs;
pub mod log;
pub mod metrics;
pub mod monitoring;
pub mod openapi;
pub mod page;
pub mod pause;
pub mod preflight;
pub mod runner;
pub mod train;
pub mod whoami;
