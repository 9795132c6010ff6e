//! Stopping a job.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;
use uuid::Uuid;

use super::{id_in_path, job_type_of, no_such_job};
use crate::accounts::access::Guarded;
use crate::api::app::App;
use crate::api::record::AuditRecord;
use crate::api::request::Request;
use crate::audit::Event;
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;
use crate::mirror::Ending;
use crate::spool::inbox;
use crate::spool::inbox::{JobSignal, SignalRequest};

/// `POST /api/jobs/{id}/signal/{signal}`: asks for a job to be stopped, durably. One that waits is cancelled. The message
/// is the same for both signals, as other programs know it.
///
/// # Errors
/// 400 for another signal than `interrupt` and `kill`, and for whom the job's type is not for; 404, 409 if it has finished, 503 or 500 if the spool does not
/// take it.
pub async fn signal(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let signal = match request.path.text("signal")? {
        "interrupt" => JobSignal::Interrupt,
        "kill" => JobSignal::Kill,
        _ => return Err(ApiError::refused(StatusCode::BAD_REQUEST, "A signal is `interrupt` or `kill`")),
    };
    let id = id_in_path(&request)?;
    request.may_answer(Guarded::by(&job_type_of(&app, id)?, &app.config))?;
    match app.mirror.view().ending(id) {
        Ending::Open => {}
        Ending::NoSuchJob => return Err(no_such_job(id)),
        Ending::Ended => {
            let error = ApiError::refused(StatusCode::CONFLICT, "The job has finished already");
            return Err(error.with("job_id", u64::from(id)));
        }
    }
    let letter = SignalRequest { user: request.user.as_ref().into(), signal };
    let word = Uuid::new_v4().simple().to_string();
    let spool = app.spool.clone();
    app.inbox_writes.run(move || inbox::signal(&spool, id, &word, &letter)).await??;
    let details = json!({ "job": id, "signal": signal.word() });
    AuditRecord::of(&request, Event::Signal, details).note(&app).await;
    tracing::info!(job = %id, signal = signal.word(), "signal accepted");
    response::json(StatusCode::OK, &json!({ "message": "Interrupted", "job_id": id }))
}
