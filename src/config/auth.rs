//! `[auth]`: who may sign in, and how.

use std::path::PathBuf;

use thiserror::Error;

use super::api::Listen;
use super::error::Fault;
use super::node::{Node, Section};
use super::units;

pub(super) const KEYS: &[&str] =
    &["mode", "dev_user", "users_file", "user_groups", "admin_groups", "viewer_groups", "two_factor", "cas"];

/// Who may sign in, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// The way to sign in.
    pub mode: AuthMode,
    /// Everybody's user name in [`AuthMode::None`]. `None` stands for the account that runs the API.
    pub dev_user: Option<String>,
    /// The accounts of [`AuthMode::Local`]; absolute.
    pub users_file: PathBuf,
    /// The groups whose members may use SpiderPig.
    pub user_groups: Vec<String>,
    /// The groups whose members may also pause the runner and sign everyone out.
    pub admin_groups: Vec<String>,
    /// The groups whose members may only look. They cannot start jobs or answer prompts.
    pub viewer_groups: Vec<String>,
    /// Whether people need a second factor, beside the password or ticket.
    pub two_factor: bool,
    /// Whether the API accepts a single sign-on ticket from a browser that it did not send to the single sign-on
    /// itself.
    pub unsolicited_tickets: bool,
}

/// The ways to sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthMode {
    /// With a password from the users file.
    Local,
    /// At a single sign-on server that speaks CAS 3.
    Cas {
        /// The server's address, without a final slash.
        server_url: String,
    },
    /// No sign-in: everybody who can connect is [`AuthConfig::dev_user`].
    None,
}

/// A listener that other machines can reach without signing in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "authentication mode `none` signs in everyone who connects, and {0} is open to other machines; \
     listen on 127.0.0.1, [::1] or a unix socket"
)]
pub struct OpenToAll(
    /// The listener.
    pub Listen,
);

impl AuthConfig {
    pub(super) fn read(section: &Section, listen: &Listen) -> Result<Self, Fault> {
        let cas = section.section("cas", &["server_url", "unsolicited_tickets"])?;
        let auth = Self {
            mode: mode(section, &cas)?,
            unsolicited_tickets: cas.read("unsolicited_tickets", Node::boolean)?.unwrap_or(false),
            dev_user: section.read("dev_user", units::optional_name)?.flatten(),
            users_file: section
                .read("users_file", units::absolute_path)?
                .unwrap_or_else(|| "/etc/spiderpig/users.toml".into()),
            user_groups: section.read("user_groups", units::names)?.unwrap_or_else(|| vec!["deployers".to_owned()]),
            admin_groups: section.read("admin_groups", units::names)?.unwrap_or_else(|| vec!["admins".to_owned()]),
            viewer_groups: section.read("viewer_groups", units::names)?.unwrap_or_default(),
            two_factor: section.read("two_factor", Node::boolean)?.unwrap_or(true),
        };
        if let Some(node) = section.get("mode") {
            auth.check_listener(listen).map_err(|error| node.fault_about(error.to_string()))?;
        }
        Ok(auth)
    }

    /// Checks that this listener may be used. Without sign-in, only this machine may connect.
    ///
    /// The listener in the file has passed this check. A listener from the command line or the service manager must
    /// pass it too.
    ///
    /// # Errors
    ///
    /// [`OpenToAll`] if the mode is [`AuthMode::None`] and other machines can connect.
    pub fn check_listener(&self, listen: &Listen) -> Result<(), OpenToAll> {
        if self.mode == AuthMode::None && !listen.is_local() {
            return Err(OpenToAll(listen.clone()));
        }
        Ok(())
    }
}

fn mode(section: &Section, cas: &Section) -> Result<AuthMode, Fault> {
    let server_url = cas.read("server_url", units::http_url)?;
    let Some(node) = section.get("mode") else {
        return Ok(AuthMode::Local);
    };
    match (node.text("a string")?, server_url) {
        ("local", _) => Ok(AuthMode::Local),
        ("cas", Some(server_url)) => Ok(AuthMode::Cas { server_url }),
        ("cas", None) => {
            Err(node.fault("is \"cas\", which needs the server's address; set `server_url` in [auth.cas]"))
        }
        ("none", _) => Ok(AuthMode::None),
        _ => Err(node.fault("must be \"local\", \"cas\" or \"none\"")),
    }
}
