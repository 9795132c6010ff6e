//! The role that a user has by the groups that they are in.

use crate::config::AuthConfig;

/// What somebody may do. Each role may do all that the one before may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Nothing: the user is in none of the groups that `[auth]` names.
    Stranger,
    /// Look.
    Viewer,
    /// Start, answer and stop jobs.
    User,
    /// Also pause the runner, and manage the sign-ins of others.
    Admin,
}

impl Role {
    /// The role of a user who is in these groups: the highest that one of them gives.
    #[must_use]
    pub fn of(groups: &[String], config: &AuthConfig) -> Self {
        let is_in = |allowed: &[String]| groups.iter().any(|group| allowed.contains(group));
        if is_in(&config.admin_groups) {
            Self::Admin
        } else if is_in(&config.user_groups) {
            Self::User
        } else if is_in(&config.viewer_groups) {
            Self::Viewer
        } else {
            Self::Stranger
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing;

    #[test]
    fn a_role_is_the_highest_that_a_group_gives() {
        let mut config = testing::config().auth;
        config.viewer_groups = vec!["readers".into()];
        for (groups, role) in [
            (&[][..], Role::Stranger),
            (&["visitors", "Deployers", "deployers "], Role::Stranger),
            (&["readers"], Role::Viewer),
            (&["readers", "deployers"], Role::User),
            (&["deployers", "admins", "readers"], Role::Admin),
        ] {
            let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
            assert_eq!(Role::of(&groups, &config), role, "{groups:?}");
        }
    }
}
