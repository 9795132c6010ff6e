//! Signing out.

use std::sync::Arc;

use hyper::StatusCode;
use serde_json::json;

use super::app::App;
use super::error::ApiError;
use super::request::Request;
use super::response::{self, Response};

/// `POST /api/logout` and `POST /api/logoutAll`: where everybody is signed in, there is nothing to end, and nowhere
/// else to sign out.
///
/// # Errors
/// None.
pub async fn logout(_: Arc<App>, _: Request) -> Result<Response, ApiError> {
    response::json(StatusCode::OK, &json!({ "message": "Logged out", "SSOLogoutUrl": "/" }))
}

#[cfg(test)]
mod tests {
    use crate::api::testing::{Bench, Client, app};

    #[tokio::test]
    async fn signing_out_leads_back_to_the_page() {
        let mut client = Client::connect(Bench::serve(app()).await).await;
        for path in ["/api/logout", "/api/logoutAll"] {
            // The page says that it sends JSON, and sends nothing.
            let headers = "Host: localhost\r\nContent-Type: application/json\r\n";
            let reply = client.ask_with(&format!("POST {path}"), headers, "").await;
            assert_eq!((reply.status.as_u16(), reply.json()["SSOLogoutUrl"].as_str()), (200, Some("/")));
            assert_eq!(reply.header("set-cookie"), None);
        }
    }
}
