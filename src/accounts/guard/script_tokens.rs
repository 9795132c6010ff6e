//! The tokens of scripts: who has which, and how one is revoked.

use std::sync::Arc;

use super::Guard;
use crate::accounts::error::Result;
use crate::accounts::tokens::Token;

impl Guard {
    /// The tokens of a user, or of all, oldest first; also those that have expired, for a while.
    #[must_use]
    pub fn tokens_of(&self, user: Option<&str>) -> Vec<Token> {
        user.map_or_else(|| self.tokens.all(), |user| self.tokens.of_user(user))
    }

    /// Revokes a token of a user. Returns whether they have one of this id.
    ///
    /// # Errors
    /// The file cannot be changed.
    pub async fn revoke_token(self: &Arc<Self>, user: &str, id: &str) -> Result<bool> {
        if !self.tokens.of_user(user).iter().any(|token| token.id == id) {
            return Ok(false);
        }
        let (user, id) = (user.to_owned(), id.to_owned());
        self.on_thread(move |guard| guard.tokens.revoke(&id, Some(&user))).await?;
        self.tell();
        Ok(true)
    }
}
