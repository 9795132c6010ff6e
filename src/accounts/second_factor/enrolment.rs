//! What a user is shown to set up an authenticator app.

use serde::Serialize;

use super::qr;
use super::totp::Seed;

/// What an authenticator app has to know of a new factor. Only its owner may see it.
#[derive(Serialize)]
pub struct Enrolment {
    /// The seed to type: base 32 in groups of four.
    pub secret: String,
    /// The seed as an address, which the QR code has.
    pub uri: String,
    /// The QR code, row by row, `1` for dark, without its quiet zone.
    pub qr: Vec<String>,
}

impl Enrolment {
    /// The enrolment of a user with a seed.
    pub(super) fn of(user: &str, seed: &Seed) -> Self {
        let (mut secret, uri) = (seed.key(), seed.uri(user));
        (1..secret.len() / 4).rev().for_each(|group| secret.insert(group * 4, ' '));
        let qr = qr::rows(&uri);
        Self { secret, uri, qr }
    }
}
