//! Who is signed in, and what may they do?

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::error::ApiError;
use super::request::Request;
use super::response::{self, Response};

/// `GET /api/whoami`: without log-ins everybody is the same user and may do everything.
///
/// # Errors
/// None.
pub async fn whoami(_: Arc<App>, request: Request) -> Result<Response, ApiError> {
    let answer = json!({
        "user": &*request.user,
        "fully_authenticated": true,
        "groups": [],
        "isAuthorized": true,
        "isAdmin": true,
        "otpHost": null,
    });
    response::json(StatusCode::OK, &answer)
}

#[cfg(test)]
mod tests {
    use crate::api::testing::{Bench, Client, app};

    #[tokio::test]
    async fn everybody_is_the_same_user_and_may_do_everything() {
        let mut client = Client::connect(Bench::serve(app()).await).await;
        let expected = serde_json::json!({
            "user": "tester",
            "fully_authenticated": true,
            "groups": [],
            "isAuthorized": true,
            "isAdmin": true,
            "otpHost": null,
        });
        assert_eq!(client.ask("GET /api/whoami").await.json(), expected);
    }
}
