//! Finds the user of a file in `queue/` or `inbox/`: the owner of the file, unless the owner is trusted to act for
//! others.

use serde::{Deserialize, Serialize};

/// The accounts whose files may name another user, by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrustedSubmitters(Vec<u32>);

impl TrustedSubmitters {
    /// The accounts of these names, and the account of this process. Leaves out unknown names, which `check` reports.
    #[must_use]
    pub fn from_names(names: &[String]) -> Self {
        let mut uids: Vec<u32> = names.iter().filter_map(uzers::get_user_by_name).map(|user| user.uid()).collect();
        uids.push(rustix::process::getuid().as_raw());
        uids.sort_unstable();
        uids.dedup();
        Self(uids)
    }

    /// Returns the user that a file names, if its owner is trusted or is that user.
    ///
    /// # Errors
    /// The name is not acceptable, or the owner is another user or has no login name. The text is for people.
    pub fn resolve(&self, owner: u32, named: &str) -> Result<String, String> {
        check_name(named)?;
        if self.0.contains(&owner) {
            return Ok(named.to_owned());
        }
        let Some(login) = login_name(owner) else {
            return Err(format!("its owner, uid {owner}, has no login name"));
        };
        if login == named {
            Ok(login)
        } else {
            Err(format!("it names the user `{named}`, but the file belongs to `{login}`"))
        }
    }
}

/// The login name of an account.
#[must_use]
pub fn login_name(uid: u32) -> Option<String> {
    uzers::get_user_by_uid(uid).map(|user| user.name().to_string_lossy().into_owned())
}

/// Checks that a user name is short and on one line, because it goes into logs, messages and environments.
///
/// # Errors
/// The name is too long, empty, or has control characters. The text is for people.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > 256 || name.chars().any(char::is_control) {
        return Err("`user` must be 1 to 256 bytes without control characters".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_trusted_owner_may_name_another_user() {
        let nobody = uzers::get_user_by_name("nobody").unwrap().uid();
        let trusted = TrustedSubmitters::from_names(&["no-such-account".into()]);
        let own = rustix::process::getuid().as_raw();
        assert_eq!(trusted.resolve(own, "alice"), Ok("alice".into()));
        assert_eq!(trusted.resolve(nobody, "nobody"), Ok("nobody".into()));
        assert_eq!(
            trusted.resolve(nobody, "alice"),
            Err("it names the user `alice`, but the file belongs to `nobody`".into())
        );
        assert_eq!(trusted.resolve(4_000_000, "alice"), Err("its owner, uid 4000000, has no login name".into()));
        assert!(trusted.resolve(own, "a\nb").is_err());
        assert!(trusted.resolve(own, "").is_err());
    }
}
