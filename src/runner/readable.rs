//! Waiting in the daemon's loop until a descriptor is readable.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Registers a descriptor, so that the loop can wait for it.
///
/// # Errors
/// The system cannot wait for it.
pub fn register<T: AsRawFd>(descriptor: T) -> io::Result<AsyncFd<T>> {
    #[expect(unsafe_code, reason = "the safe form is deprecated, as it trusts the type blindly")]
    // SAFETY: called with owners of a descriptor only (a pidfd, an inotify instance), which name the same open one until they
    // are dropped, and the registration owns them.
    Ok(unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }?)
}

/// Waits until a descriptor is readable: for that of a process, until it ends.
///
/// # Errors
/// The system cannot wait for it.
pub async fn wait(descriptor: OwnedFd) -> io::Result<()> {
    register(descriptor)?.readable().await.map(|_| ())
}
