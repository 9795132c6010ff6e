//! Who is signed in, and what they may do.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::{Map, Value, json};

use crate::accounts::access::Guarded;
use crate::accounts::identity::{Caller, Identity, Unknown};
use crate::accounts::role::Role;
use crate::accounts::second_factor::state::SecondFactorState;
use crate::api::app::App;
use crate::api::failure::accounts::SIGN_IN;
use crate::api::request::Request;
use crate::config::{AuthMode, JobType};
use crate::http::error::ApiError;
use crate::http::response;
use crate::http::response::Response;

/// `GET /api/whoami`: who asks, and what they may do. Without a session it says so, and where to get one.
///
/// # Errors
/// None.
pub async fn whoami(app: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let mode = match app.config.auth.mode {
        AuthMode::Local => "local",
        AuthMode::Cas { .. } => "cas",
        AuthMode::None => "none",
    };
    let (user, groups, role, caller) = match &request.identity {
        Identity::Nobody(unknown) => {
            // Where there was no session, nothing has to be explained.
            let reason = (*unknown != Unknown::NotSignedIn).then(|| unknown.message());
            let nobody = json!({ "user": null, "loginUrl": SIGN_IN, "mode": mode, "reason": reason });
            return response::json(StatusCode::OK, &nobody);
        }
        Identity::PendingSecondFactor(pending) => {
            (&pending.user, &pending.groups, Role::of(&pending.groups, &app.config.auth), None)
        }
        Identity::Authenticated(caller) => (&caller.user, &caller.groups, caller.role, Some(caller)),
    };
    let second_factor = app.auth.second_factor(&request.identity);
    // The first SpiderPig tells people to get their codes there, by its `otp` command.
    let otp_host = (second_factor != SecondFactorState::Off).then(host_name);
    let answer = json!({
        "user": &**user,
        "fully_authenticated": caller.is_some(),
        "groups": &**groups,
        "isAuthorized": role > Role::Stranger,
        "isAdmin": role == Role::Admin,
        "otpHost": otp_host,
        "mode": mode,
        "mayStart": role >= Role::User,
        "jobTypes": caller.map(|caller| job_types(&app, caller)).unwrap_or_default(),
        "secondFactor": second_factor,
    });
    response::json(StatusCode::OK, &answer)
}

/// The job types: for which groups they are, and whether somebody may answer and stop their jobs. There are none for
/// somebody who may not look.
fn job_types(app: &App, caller: &Caller) -> Map<String, Value> {
    let told = app.config.job_types.values().filter(|_| caller.role > Role::Stranger);
    let tell = |job_type: &JobType| {
        let by = Guarded { job_type: &job_type.name, groups: Some(&job_type.groups) };
        let may_answer = caller.may_answer(by).is_ok();
        (job_type.name.clone(), json!({ "groups": job_type.groups, "mayAnswer": may_answer }))
    };
    told.map(tell).collect()
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
