//! Signing in by way of the single sign-on, with a ticket; and what it tells of those who have signed out there.

use std::sync::Arc;
use std::time::Duration;

use super::{Guard, Source};
use crate::accounts::cas::{Cas, CasError, Person, logout};
use crate::accounts::error::{AccountsError, Result};
use crate::accounts::presented::{Browser, Presented};
use crate::accounts::sessions::Session;
use crate::digest;
use crate::spool::Time;

/// The longest ticket, in bytes: the protocol asks for 256 at least.
const MOST_TICKET: usize = 256;

/// What a browser brings back from the single sign-on. It is a secret, so it has no `Debug`.
#[derive(Clone, Copy)]
pub struct Ticket<'a> {
    /// What the single sign-on gave it.
    pub ticket: &'a str,
    /// The state that it was sent there with.
    pub state: Option<&'a str>,
    /// The path that it goes on to.
    pub next: &'a str,
}

/// Where a browser is sent to sign in. It has a secret, so it has no `Debug`.
pub struct SentAway {
    /// The address at the single sign-on.
    pub url: String,
    /// The `Set-Cookie` field by which it is known when it comes back.
    pub set_cookie: String,
}

/// Somebody for whom the single sign-on vouches, at a browser.
#[derive(Debug)]
pub struct VerifiedPerson {
    person: Person,
    /// The digest of the ticket.
    ticket: String,
    /// The session that the browser has, which may be one whose groups have to be asked for again.
    before: Option<Session>,
}

impl VerifiedPerson {
    /// Who it is.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.person.user
    }
}

/// Why a ticket signs nobody in.
#[derive(Debug, PartialEq, Eq)]
pub enum TicketProblem {
    /// It does not look like a ticket.
    Malformed,
    /// The browser was not sent to the single sign-on from here.
    Unsolicited,
    /// Too many tickets from this address were wrong.
    TooManyAttempts,
    /// It is a ticket of this user, but the browser has a session of another one.
    OtherUser(String),
    /// The single sign-on does not take it.
    Refused,
    /// The single sign-on does not answer.
    Unreachable,
    /// The answer of the single sign-on is not what its protocol says.
    Nonsense,
}

impl TicketProblem {
    /// The word by which the page and the audit trail know it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Malformed | Self::Refused => "ticket",
            Self::Unsolicited => "unsolicited",
            Self::TooManyAttempts => "rate_limited",
            Self::OtherUser(_) => "other_user",
            Self::Unreachable => "unreachable",
            Self::Nonsense => "nonsense",
        }
    }
}

impl Guard {
    /// Whether people sign in at a single sign-on.
    #[must_use]
    pub fn has_single_sign_on(&self) -> bool {
        matches!(self.source, Source::Cas(_))
    }

    /// Where somebody signs out of everything; none where people sign in here.
    #[must_use]
    pub fn sign_out_url(&self) -> Option<String> {
        self.single_sign_on().map(Cas::sign_out_url)
    }

    fn single_sign_on(&self) -> Option<&Cas> {
        match &self.source {
            Source::Cas(cas) => Some(cas),
            Source::Local(_) => None,
        }
    }

    /// Sends a browser to the single sign-on, from where it comes back to `next`; none where people sign in here.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn send_away(&self, presented: &Presented, next: &str) -> Result<Option<SentAway>> {
        let Some(cas) = self.single_sign_on() else { return Ok(None) };
        let sent = self.cookies.sent(&presented.cookies)?;
        let url = cas.sign_in_url(&self.key.state(&sent), next);
        Ok(Some(SentAway { url, set_cookie: self.cookies.set_sent(&sent) }))
    }

    /// Asks the single sign-on whose ticket it is. Each question costs it something, and the audit trail a line, so
    /// attempts are counted.
    ///
    /// # Errors
    /// Attempts cannot be counted.
    pub async fn check_ticket(
        self: &Arc<Self>,
        ticket: Ticket<'_>,
        browser: &Browser<'_>,
    ) -> Result<Result<VerifiedPerson, TicketProblem>> {
        let Ticket { ticket, state, next } = ticket;
        let Some(cas) = self.single_sign_on().filter(|_| ticket.starts_with("ST-") && ticket.len() <= MOST_TICKET)
        else {
            return Ok(Err(TicketProblem::Malformed));
        };
        let is_solicited = match state {
            Some(state) => self.key.was_sent_with(state, self.cookies, &browser.presented.cookies),
            None => self.config.unsolicited_tickets,
        };
        if !is_solicited {
            return Ok(Err(TicketProblem::Unsolicited));
        }
        match self.begin_attempt(None, browser.address).await {
            Err(AccountsError::TooManyAttempts { .. }) => return Ok(Err(TicketProblem::TooManyAttempts)),
            begun => begun?,
        };
        let person = cas.validate(ticket, state, next).await;
        if matches!(person, Ok(_) | Err(CasError::Unreachable(_))) {
            self.take_back_attempt(None, browser.address).await?;
        }
        let key = self.session_key(&browser.presented);
        let before = key.and_then(|key| self.sessions.get(&key, Time::now()));
        Ok(match person {
            // Somebody else's ticket in a link would have this person work under another name.
            Ok(person) if before.as_ref().is_some_and(|before| before.user != person.user) => {
                Err(TicketProblem::OtherUser(person.user))
            }
            Ok(person) => Ok(VerifiedPerson { person, ticket: digest::sha256(ticket), before }),
            Err(error) => {
                tracing::warn!(%error, "a ticket of the single sign-on was not taken");
                Err(match error {
                    CasError::Refused { .. } => TicketProblem::Refused,
                    CasError::Unreachable(_) => TicketProblem::Unreachable,
                    CasError::Nonsense(_) => TicketProblem::Nonsense,
                })
            }
        })
    }

    /// Begins the session of somebody for whom the single sign-on vouches. Returns the `Set-Cookie` fields that give the
    /// browser its session, and take away what it was sent with.
    ///
    /// # Errors
    /// The files cannot be changed.
    pub async fn sign_in_person(
        self: &Arc<Self>,
        verified: VerifiedPerson,
        browser: &Browser<'_>,
    ) -> Result<[String; 2]> {
        let VerifiedPerson { person, ticket, before } = verified;
        let mut session = Self::new_session(&person.user, browser);
        (session.groups, session.ticket) = (person.groups, Some(ticket));
        // Whoever comes back so that the groups can be looked at need not show the second factor again, and the session
        // does not last longer.
        if let Some(before) = before.filter(|before| before.second_factor) {
            session.second_factor = true;
            session.created = before.created;
        }
        let lifetime = session.longest_end().as_milliseconds() - session.checked.as_milliseconds();
        let lifetime = Duration::from_millis(u64::try_from(lifetime).unwrap_or_default());
        let set_cookie = self.begin_session(session, browser, lifetime).await?;
        Ok([set_cookie, self.cookies.remove_sent()])
    }

    /// Ends the session that a ticket has begun, if the single sign-on says so in a form, and returns whose it was. Whoever
    /// knows the ticket is believed. For a ticket that nobody knows, nothing is written.
    ///
    /// # Errors
    /// [`NoLogout`](AccountsError::NoLogout); or the file cannot be read or changed.
    pub async fn end_session_of_ticket(self: &Arc<Self>, form: &[u8]) -> Result<Option<String>> {
        let ticket = logout::ticket(form).map_err(|reason| {
            tracing::info!(reason, "what came as a logout of the single sign-on is none");
            AccountsError::NoLogout
        })?;
        let (guard, ticket) = (Arc::clone(self), digest::sha256(ticket));
        let user = self.attempting.run(move || guard.sessions.end_of_ticket(&ticket)).await??;
        if user.is_some() {
            self.tell();
        }
        Ok(user)
    }
}
