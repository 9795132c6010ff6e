//! How the errors of sign-ins and of access become answers.

use hyper::StatusCode;

use crate::accounts::access::{AccessError, Forbidden};
use crate::accounts::error::AccountsError;
use crate::accounts::second_factor::Refusal;
use crate::http::error::ApiError;

/// Where people sign in.
pub const SIGN_IN: &str = "/api/login";

/// Where they give the code of their second factor.
const SECOND_FACTOR: &str = "/api/2fa";

/// How long somebody is asked to wait while too many others sign in, in seconds.
const OTHERS_SIGN_IN: u32 = 5;

/// The answer to somebody who may not use a route: 401 if they must sign in or show their second factor first, 403 if they
/// are in no group, `too_low` if their role or token does not suffice.
#[must_use]
pub fn denied(error: AccessError, too_low: StatusCode) -> ApiError {
    let refused = |status| ApiError::refused(status, error.to_string());
    match error {
        AccessError::Unknown(_) => refused(StatusCode::UNAUTHORIZED).with("code", "needauth").with("url", SIGN_IN),
        AccessError::PendingSecondFactor { ref user } => {
            let answer = refused(StatusCode::UNAUTHORIZED).with("code", "need2fa").with("url", SECOND_FACTOR);
            answer.with("user", &**user)
        }
        AccessError::Stranger => refused(StatusCode::FORBIDDEN).with("code", "unauthorized"),
        AccessError::Forbidden(forbidden) => self::forbidden(&forbidden, too_low),
    }
}

/// The answer to somebody whose role, groups or token do not suffice.
#[must_use]
pub fn forbidden(error: &Forbidden, status: StatusCode) -> ApiError {
    ApiError::refused(status, error.to_string()).with("code", "forbidden")
}

impl From<AccountsError> for ApiError {
    fn from(error: AccountsError) -> Self {
        let message = error.to_string();
        let refused = |status| Self::refused(status, message);
        match error {
            AccountsError::NobodySignsIn => refused(StatusCode::NOT_FOUND),
            AccountsError::WrongPassword => refused(StatusCode::UNAUTHORIZED).with("code", "invalid"),
            AccountsError::TooManyAttempts { seconds } | AccountsError::Code(Refusal::Locked { seconds, .. }) => {
                refused(StatusCode::TOO_MANY_REQUESTS).with("code", "rate_limited").retry_after(seconds)
            }
            AccountsError::TooManySignIns => refused(StatusCode::SERVICE_UNAVAILABLE).retry_after(OTHERS_SIGN_IN),
            AccountsError::NoLogout | AccountsError::SecondFactorRequired => refused(StatusCode::BAD_REQUEST),
            AccountsError::SessionEnded => refused(StatusCode::UNAUTHORIZED).with("code", "needauth"),
            AccountsError::Code(Refusal::Invalid | Refusal::NotEnrolled | Refusal::NothingPending) => {
                refused(StatusCode::BAD_REQUEST).with("code", "invalid")
            }
            AccountsError::File(error) => error.into(),
            AccountsError::Blocking(error) => error.into(),
        }
    }
}
