//! Who may do what: the one place where that is decided, from what the route table says.

use std::fmt;
use std::sync::Arc;

use super::identity::{Caller, Identity, Proof, Unknown};
use super::role::Role;
use super::tokens::Scope;
use crate::config::Config;

/// Why somebody may not use a route. The texts are for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// They must sign in first.
    #[error("{}", .0.message())]
    Unknown(Unknown),
    /// They must show their second factor first.
    #[error("Enter a code from your authenticator app first")]
    PendingSecondFactor {
        /// Who has shown a password or a ticket.
        user: Arc<str>,
    },
    /// They are in none of the groups that may use the service.
    #[error("You may not use SpiderPig: you are in none of its groups. Ask an administrator to add you")]
    Stranger,
    /// Their role or token does not suffice.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// What the role, the groups or the token of somebody do not suffice for. The texts are for them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Only administrators may do it.
    #[error("Only administrators may do this")]
    Administration,
    /// They may only look, not start, answer or stop jobs.
    #[error(
        "You have read access only: you cannot start, answer or stop jobs. An administrator can add you to a group \
         that can"
    )]
    Acting,
    /// They may only look, and not at sensitive lines.
    #[error("You cannot see the sensitive lines of a log. An administrator can add you to a group that can")]
    SensitiveLines,
    /// The token lacks the scope, or no token may do it.
    #[error("This token may not do this: it lacks the scope, or only a person may do it")]
    Token,
    /// No token may see sensitive lines.
    #[error("Tokens cannot read the sensitive lines of a log: only a person can")]
    TokenForSensitiveLines,
    /// The token lacks this scope.
    #[error("This token lacks the scope {0}")]
    Scope(Scope),
    /// The job type is for groups that they are not in.
    #[error("You may not {action} jobs of the type {job_type}: it is for {}", .groups.join(", "))]
    JobType {
        /// What they may not do.
        action: JobAction,
        /// The name of the type.
        job_type: String,
        /// The groups that it is for.
        groups: Vec<String>,
    },
    /// The job type is not declared any more, so nobody knows which groups it is for.
    #[error(
        "You may not {action} jobs of the type {job_type}: it is not in the configuration any more, so this is left to \
         administrators"
    )]
    UndeclaredJobType {
        /// What they may not do.
        action: JobAction,
        /// The name of the type.
        job_type: String,
    },
}

/// What somebody does with the jobs of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobAction {
    /// Start them.
    Start,
    /// Answer and stop them.
    Answer,
    /// See the sensitive lines of their logs.
    Reveal,
}

impl fmt::Display for JobAction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Start => "start",
            Self::Answer => "answer or stop",
            Self::Reveal => "see the sensitive lines of",
        })
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody: it tells nothing, or is how people sign in.
    Open,
    /// Whoever has shown a password or a ticket, but perhaps not the second factor yet. No script.
    Session,
    /// Whoever is in one of the groups; a script with the scope `read`.
    Viewer,
    /// Whoever is in one of the groups, for what is theirs. No script.
    Own,
    /// Users and administrators; a script with a scope `start:TYPE`, which the handler compares with the job's type.
    Start,
    /// Users and administrators; a script with a scope `answer` or `answer:TYPE`, which the handler compares with the job's
    /// type.
    Answer,
    /// Administrators; for what only tells something also a script of one, with the scope `read`.
    AdminLook,
    /// Administrators. No script.
    Admin,
}

impl Access {
    /// Lets somebody in, or says why not.
    ///
    /// # Errors
    /// They may not use the route.
    pub fn check(self, identity: &Identity) -> Result<(), AccessError> {
        if self == Self::Open {
            return Ok(());
        }
        let caller = match identity {
            Identity::Nobody(unknown) => return Err(AccessError::Unknown(*unknown)),
            Identity::PendingSecondFactor(_) if self == Self::Session => return Ok(()),
            Identity::PendingSecondFactor(pending) => {
                return Err(AccessError::PendingSecondFactor { user: Arc::clone(&pending.user) });
            }
            Identity::Authenticated(caller) => caller,
        };
        if self != Self::Session && caller.role == Role::Stranger {
            return Err(AccessError::Stranger);
        }
        if caller.role < self.role() {
            return Err(self.forbidden(caller.role).into());
        }
        match &caller.proof {
            Proof::Token { scopes, .. } if !self.is_in(scopes) => Err(Forbidden::Token.into()),
            _ => Ok(()),
        }
    }

    fn role(self) -> Role {
        match self {
            Self::Open | Self::Session => Role::Stranger,
            Self::Viewer | Self::Own => Role::Viewer,
            Self::Start | Self::Answer => Role::User,
            Self::AdminLook | Self::Admin => Role::Admin,
        }
    }

    fn is_in(self, scopes: &[Scope]) -> bool {
        match self {
            Self::Viewer | Self::AdminLook => scopes.contains(&Scope::Read),
            Self::Start => scopes.iter().any(|scope| matches!(scope, Scope::Start(_))),
            Self::Answer => scopes.iter().any(|scope| matches!(scope, Scope::Answer | Scope::AnswerType(_))),
            Self::Open | Self::Session | Self::Own | Self::Admin => false,
        }
    }

    /// Why this role does not suffice.
    fn forbidden(self, role: Role) -> Forbidden {
        match (role, self) {
            (Role::Viewer, Self::Start | Self::Answer) => Forbidden::Acting,
            _ => Forbidden::Administration,
        }
    }
}

/// A job type, as far as it says who may do something with its jobs.
#[derive(Clone, Copy, Debug)]
pub struct Guarded<'a> {
    /// Its name.
    pub job_type: &'a str,
    /// The groups that it is for, all users if there are none; `None` if it is not declared any more.
    pub groups: Option<&'a [String]>,
}

impl<'a> Guarded<'a> {
    /// By the job type of this name.
    #[must_use]
    pub fn by(job_type: &'a str, config: &'a Config) -> Self {
        Self { job_type, groups: config.job_type(job_type).map(|job_type| &*job_type.groups) }
    }
}

impl Caller {
    /// Whether they may start jobs of a type.
    ///
    /// # Errors
    /// They may not.
    pub fn may_start(&self, by: Guarded) -> Result<(), Forbidden> {
        if self.role < Role::User {
            return Err(Access::Start.forbidden(self.role));
        }
        self.may_act(JobAction::Start, by)?;
        match &self.proof {
            Proof::Token { scopes, .. } if !scopes.iter().any(|scope| scope.starts(by.job_type)) => {
                Err(Forbidden::Scope(Scope::Start(by.job_type.to_owned())))
            }
            _ => Ok(()),
        }
    }

    /// Whether they may answer and stop jobs of a type.
    ///
    /// # Errors
    /// They may not.
    pub fn may_answer(&self, by: Guarded) -> Result<(), Forbidden> {
        if self.role < Role::User {
            return Err(Access::Answer.forbidden(self.role));
        }
        self.may_act(JobAction::Answer, by)?;
        match &self.proof {
            Proof::Token { scopes, .. } if !scopes.iter().any(|scope| scope.answers(by.job_type)) => {
                Err(Forbidden::Scope(Scope::AnswerType(by.job_type.to_owned())))
            }
            _ => Ok(()),
        }
    }

    /// Whether they may see the sensitive lines of the logs of a type's jobs. Those may be passwords: no script reads them,
    /// and nobody who may only look.
    ///
    /// # Errors
    /// They may not.
    pub fn may_reveal(&self, by: Guarded) -> Result<(), Forbidden> {
        if self.role < Role::User {
            return Err(Forbidden::SensitiveLines);
        }
        if let Proof::Token { .. } = self.proof {
            return Err(Forbidden::TokenForSensitiveLines);
        }
        self.may_act(JobAction::Reveal, by)
    }

    /// Whether a job type is for them. Nobody knows whom a type was for that is not declared any more, so its jobs are left
    /// to administrators. Where nobody signs in, nobody is in a group.
    fn may_act(&self, action: JobAction, by: Guarded) -> Result<(), Forbidden> {
        let job_type = by.job_type.to_owned();
        match by.groups {
            _ if self.proof == Proof::Nothing => Ok(()),
            Some([]) => Ok(()),
            Some(groups) if groups.iter().any(|group| self.groups.contains(group)) => Ok(()),
            Some(groups) => Err(Forbidden::JobType { action, job_type, groups: groups.to_vec() }),
            None if self.role == Role::Admin => Ok(()),
            None => Err(Forbidden::UndeclaredJobType { action, job_type }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing;

    fn caller(groups: &[&str], proof: Proof) -> Caller {
        let groups: Vec<String> = groups.iter().map(ToString::to_string).collect();
        let mut config = testing::config().auth;
        config.viewer_groups = vec!["readers".into()];
        Caller { user: "alice".into(), role: Role::of(&groups, &config), groups: groups.into(), proof }
    }

    fn person(groups: &[&str]) -> Caller {
        caller(groups, Proof::Session("key".into()))
    }

    fn script(groups: &[&str], scopes: &[&str]) -> Caller {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        caller(groups, Proof::Token { id: "id".into(), scopes: scopes.into() })
    }

    type May = fn(&Caller, Guarded) -> Result<(), Forbidden>;

    /// Whether somebody may do it with jobs of a type that is for these groups.
    fn may(act: May, caller: &Caller, groups: Option<&[&str]>) -> bool {
        let groups: Option<Vec<String>> = groups.map(|groups| groups.iter().map(ToString::to_string).collect());
        act(caller, Guarded { job_type: "greet", groups: groups.as_deref() }).is_ok()
    }

    fn may_start(caller: &Caller, groups: &[&str]) -> bool {
        may(Caller::may_start, caller, Some(groups))
    }

    #[test]
    fn the_groups_of_a_job_type_guard_whatever_is_done_with_its_jobs() {
        for act in [Caller::may_start as May, Caller::may_answer, Caller::may_reveal] {
            let member = person(&["deployers", "train"]);
            assert!(may(act, &member, Some(&[])) && may(act, &member, Some(&["other", "train"])));
            for outsider in [&["deployers"][..], &["admins"], &["readers", "train"], &["train"]] {
                assert!(!may(act, &person(outsider), Some(&["train"])), "{outsider:?}");
            }
            assert!(may(act, &Caller { role: Role::Admin, ..caller(&[], Proof::Nothing) }, Some(&["train"])));
        }
        for act in [Caller::may_answer as May, Caller::may_reveal] {
            assert!(!may(act, &person(&["deployers", "train"]), None), "a type that is not declared any more");
            assert!(may(act, &person(&["admins"]), None));
            assert!(may(act, &Caller { role: Role::Admin, ..caller(&[], Proof::Nothing) }, None));
        }
    }

    #[test]
    fn a_script_answers_what_its_user_may_and_its_scopes_say() {
        let answers =
            |groups: &[&str], scope: &str| may(Caller::may_answer, &script(groups, &[scope]), Some(&["train"]));
        assert!(answers(&["deployers", "train"], "answer") && answers(&["deployers", "train"], "answer:greet"));
        for (groups, scope) in [
            (&["deployers", "train"][..], "answer:other"),
            (&["deployers", "train"], "answer:gree"),
            (&["deployers", "train"], "start:greet"),
            (&["deployers", "train"], "read"),
            (&["deployers"], "answer"),
            (&["deployers"], "answer:greet"),
            (&["readers", "train"], "answer:greet"),
        ] {
            assert!(!answers(groups, scope), "{groups:?} {scope}");
        }
    }

    #[test]
    fn a_job_type_may_be_for_some_groups_only() {
        let user = person(&["deployers", "train"]);
        assert!(may_start(&user, &[]) && may_start(&user, &["train"]) && may_start(&user, &["other", "train"]));
        assert!(!may_start(&user, &["other"]));
        let admin = person(&["admins"]);
        assert!(may_start(&admin, &[]) && may_start(&admin, &["admins"]) && !may_start(&admin, &["train"]));
        assert!(!may_start(&person(&["readers", "train"]), &["train"]), "the group of a type makes nobody a user");
        assert!(!may_start(&person(&["train"]), &[]));
        let anybody = Caller { role: Role::Admin, ..caller(&[], Proof::Nothing) };
        assert!(may_start(&anybody, &["train"]), "where nobody signs in, nobody is in a group");
    }

    #[test]
    fn a_script_starts_what_its_user_may_and_its_scopes_say() {
        assert!(may_start(&script(&["deployers"], &["read", "start:greet"]), &[]));
        assert!(may_start(&script(&["deployers", "train"], &["start:greet"]), &["train"]));
        for (groups, scopes, of_type) in [
            (["deployers"], &["start:other"][..], &[][..]),
            (["deployers"], &["start:greet2", "start:gree", "read", "answer"], &[]),
            (["deployers"], &["start:greet"], &["train"]),
            (["readers"], &["start:greet"], &[]),
            (["visitors"], &["start:greet"], &[]),
        ] {
            assert!(!may_start(&script(&groups, scopes), of_type), "{groups:?} {scopes:?}");
        }
    }

    #[test]
    fn sensitive_lines_are_for_people_who_may_do_more_than_look() {
        let by = Guarded { job_type: "greet", groups: Some(&[]) };
        let may_reveal = |caller: Caller| caller.may_reveal(by);
        for groups in [&["deployers"][..], &["admins"]] {
            assert_eq!(may_reveal(person(groups)), Ok(()), "{groups:?}");
            let script = script(groups, &["read", "answer", "start:greet"]);
            assert_eq!(may_reveal(script), Err(Forbidden::TokenForSensitiveLines), "{groups:?}");
        }
        assert_eq!(may_reveal(person(&["readers"])), Err(Forbidden::SensitiveLines));
        assert_eq!(may_reveal(Caller { role: Role::Admin, ..caller(&[], Proof::Nothing) }), Ok(()));
    }

    #[test]
    fn a_refusal_says_what_is_missing() {
        let message = |error: Forbidden| error.to_string();
        let groups = ["train".to_owned(), "ops".to_owned()];
        let (for_some, for_all) = (Some(&groups[..]), Some(&[][..]));
        let by = |groups| Guarded { job_type: "greet", groups };
        let of_group = message(person(&["deployers"]).may_answer(by(for_some)).unwrap_err());
        assert!(of_group.contains("may not answer or stop jobs of the type greet: it is for train, ops"), "{of_group}");
        let of_scope = message(script(&["deployers"], &["read"]).may_start(by(for_all)).unwrap_err());
        assert!(of_scope.contains("lacks the scope start:greet"), "{of_scope}");
        let of_scope = message(script(&["deployers"], &["read"]).may_answer(by(for_all)).unwrap_err());
        assert!(of_scope.contains("lacks the scope answer:greet"), "{of_scope}");
        let gone = message(person(&["deployers"]).may_reveal(by(None)).unwrap_err());
        assert!(gone.contains("not in the configuration any more"), "{gone}");
        let of_role = message(person(&["readers"]).may_start(by(for_all)).unwrap_err());
        assert!(of_role.contains("You have read access"), "{of_role}");
    }
}
