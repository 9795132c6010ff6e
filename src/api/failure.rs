//! Failures of the services, as clients see them.
//!
//! Each service has errors of its own, which know nothing of HTTP. Here they get their statuses and words.

pub mod accounts;

use std::ffi::OsStr;

use hyper::StatusCode;

use crate::blocking;
use crate::http::error::ApiError;
use crate::logs::LogError;
use crate::spool;
use crate::spool::error::Action;
use crate::submit::SubmitError;
use crate::submit::idempotency::MalformedKey;

impl From<blocking::Error> for ApiError {
    fn from(error: blocking::Error) -> Self {
        match error {
            blocking::Error::Busy => {
                let message =
                    "Nothing was accepted: the disk is slow, and too many others wait for it. Try again in a moment";
                Self::refused(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
            }
            blocking::Error::Panicked(panic) => Self::internal(panic),
        }
    }
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        let message = error.to_string();
        match error {
            SubmitError::TooLarge => Self::refused(StatusCode::PAYLOAD_TOO_LARGE, message),
            SubmitError::KeyIsBusy => Self::refused(StatusCode::CONFLICT, message).retry_after(1),
            SubmitError::KeyIsTaken => Self::refused(StatusCode::UNPROCESSABLE_ENTITY, message),
            SubmitError::StateDirectory(error) => Self::failed(StatusCode::SERVICE_UNAVAILABLE, message, error),
            SubmitError::Spool(error) => error.into(),
            SubmitError::Blocking(error) => error.into(),
        }
    }
}

impl From<MalformedKey> for ApiError {
    fn from(error: MalformedKey) -> Self {
        Self::refused(StatusCode::BAD_REQUEST, error.to_string())
    }
}

impl From<LogError> for ApiError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unreadable(error) => Self::internal(error),
            LogError::Blocking(error) => error.into(),
        }
    }
}

/// Tells the client what a person can do about a spool that takes nothing.
impl From<spool::Error> for ApiError {
    fn from(error: spool::Error) -> Self {
        let name = error.path().file_name().and_then(OsStr::to_str);
        if name.is_some_and(|name| crate::accounts::FILES.contains(&name)) {
            return of_sign_ins(error);
        }
        let message = match &error {
            spool::Error::Locked { .. } => {
                let message = "Nothing was accepted: the spool is busy. Try again in a moment";
                return Self::failed(StatusCode::SERVICE_UNAVAILABLE, message, error).retry_after(1);
            }
            spool::Error::Invalid { .. } => {
                "Nothing was accepted: a file of the spool is damaged. Restart spiderpig-runner to repair it"
            }
            // What could not be synced may be there all the same.
            spool::Error::Io { action: Action::Sync, .. } => {
                let message = "It is unknown whether this was accepted: the disk failed while storing it. Check \
                               whether it is there before you try again";
                return Self::failed(StatusCode::INTERNAL_SERVER_ERROR, message, error);
            }
            _ if error.is_disk_full() => {
                "Nothing was accepted: the spool's disk is full. Make room on it, and try again"
            }
            _ if error.is_not_found() => {
                "Nothing was accepted: the spool is not complete. Start spiderpig-runner, which creates it"
            }
            spool::Error::Io { .. } => {
                return Self::failed(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "Nothing was accepted: the spool cannot be written. See that the account of the API is in the \
                     spool's group and that the disk is not read-only; the log says more under this request id",
                    error,
                );
            }
        };
        Self::failed(StatusCode::SERVICE_UNAVAILABLE, message, error)
    }
}

/// For a file of accounts. Its name is for the log only: the client may be a stranger.
fn of_sign_ins(error: spool::Error) -> ApiError {
    let message = match &error {
        spool::Error::Locked { .. } => "Nothing was done: other people are signing in. Try again in a moment",
        spool::Error::Io { action: Action::Sync, .. } => {
            "It is unknown whether this was done: the disk failed while storing it. Try again"
        }
        _ if error.is_disk_full() => "Nothing was done: the disk of the API's state directory is full. Make room on it",
        _ => {
            "Nothing was done: a file of the accounts cannot be read or changed. The API's log names the file and the \
             fix under this request id"
        }
    };
    let is_busy = matches!(error, spool::Error::Locked { .. });
    let failed = ApiError::failed(StatusCode::SERVICE_UNAVAILABLE, message, error);
    if is_busy { failed.retry_after(1) } else { failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request_id::RequestId;

    #[test]
    fn a_client_that_is_kept_waiting_is_told_when_to_try_again() {
        let response = ApiError::from(blocking::Error::Busy).into_response(&RequestId::fresh());
        assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (503, &"1".parse().unwrap()));
    }

    #[test]
    fn nothing_was_accepted_is_said_only_where_that_is_known() {
        let message = |action| {
            let error = spool::Error::io(action, "/spool/queue".as_ref(), std::io::ErrorKind::Other);
            ApiError::from(error).message().unwrap().to_owned()
        };
        assert!(message(Action::Other("write")).starts_with("Nothing was accepted"));
        assert!(message(Action::Sync).starts_with("It is unknown"));
    }

    #[test]
    fn a_file_of_sign_ins_is_no_file_of_the_spool() {
        let message = |path: &str| {
            let error = ApiError::from(spool::Error::invalid(path.as_ref(), "it is damaged"));
            assert_eq!(error.status(), 503);
            error.message().unwrap().to_owned()
        };
        assert!(message("/spool/jobs/1/job.json").contains("Restart spiderpig-runner"));
        for name in crate::accounts::FILES {
            let message = message(&format!("/state/{name}"));
            assert!(
                message.contains("of the accounts") && !message.contains("spool") && !message.contains(name),
                "{message}"
            );
        }
    }
}
