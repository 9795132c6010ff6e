//! `spiderpig-api token`: the tokens of scripts.

use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde_json::json;

use super::{Error, Operator, state_directory};
use crate::accounts::tokens::{Created, NewToken, Scope, Token, Tokens};
use crate::accounts::users::Users;
use crate::audit::Event;
use crate::config::{AuthMode, Config};
use crate::spool::Time;
use crate::spool::submitter::check_name;

/// The longest life of a token.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// The longest name of a token, in characters.
const MAX_NAME: usize = 64;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a token and print it. It cannot be printed again
    Create(Create),
    /// List the tokens, without their secrets
    List {
        /// Show only the tokens of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Revoke a token: it no longer works
    Revoke {
        /// The identifier of the token, as `list` shows it
        id: String,
    },
}

/// The properties of a new token.
#[derive(Debug, Args)]
pub struct Create {
    /// The user for whom scripts act with this token
    #[arg(long, value_name = "NAME")]
    user: String,
    /// A right of the token: read, start:TYPE, answer:TYPE (also to stop jobs of that type), or answer, for all types
    /// that the user may answer. May be given several times
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// How long the token works, such as 30d or 12h; at most a year
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Duration,
    /// What the token is for
    #[arg(long, value_name = "TEXT", value_parser = name)]
    name: String,
    /// A group of the user, if they sign in by single sign-on. May be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

pub(super) fn run(command: Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let tokens = Tokens::open(&state_directory(config)?)?;
    let now = Time::now();
    match command {
        Command::Create(wanted) => create(wanted, &tokens, config, now, operator),
        Command::List { user } => list(&user.map_or_else(|| tokens.all(), |user| tokens.of_user(&user)), now, operator),
        Command::Revoke { id } => revoke(&id, &tokens, config, operator),
    }
}

fn create(wanted: Create, tokens: &Tokens, config: &Config, now: Time, operator: &mut Operator) -> Result<(), Error> {
    let groups = groups(&wanted, config)?;
    let Create { user, mut scopes, expires, name, .. } = wanted;
    scopes.sort();
    scopes.dedup();
    check_scopes(&scopes, config)?;
    let expires = now.as_milliseconds().saturating_add(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX));
    let expires = Time::from_milliseconds(expires);
    let new = NewToken { name, user: user.clone(), groups, scopes: scopes.clone(), expires };
    let record = |id: &str| {
        let details = json!({ "what": "created", "token": id, "of": user, "scopes": scopes, "expires": expires });
        operator.record(config, Event::TokenChanged, &details)
    };
    let Created { id, secret } = tokens.create_recorded(new, now, record)?;
    writeln!(operator.output, "{secret}")?;
    writeln!(
        operator.output,
        "Store the token now: it is not shown again. Token {id} of {user}, until {expires}: \
                               {}",
        list_of(&scopes)
    )?;
    Ok(())
}

/// The groups of the token, if it has its own. Refuses users who cannot have a token.
fn groups(wanted: &Create, config: &Config) -> Result<Option<Vec<String>>, Error> {
    let (user, groups) = (&wanted.user, &wanted.groups);
    let refused = |words: &str| Err(Error::Refused(words.to_owned()));
    match &config.auth.mode {
        AuthMode::None => refused("authentication mode \"none\" does not use tokens"),
        AuthMode::Local if !groups.is_empty() => {
            refused("with authentication mode \"local\" a token has the groups of its user; leave out --group")
        }
        AuthMode::Local => check_account(user, config).map(|()| None),
        AuthMode::Cas { .. } if groups.is_empty() => {
            refused("only the single sign-on knows the groups of a user; give the token's groups with --group")
        }
        AuthMode::Cas { .. } => {
            check_name(user).map_err(Error::Refused)?;
            Ok(Some(groups.clone()))
        }
    }
}

fn check_account(user: &str, config: &Config) -> Result<(), Error> {
    match Users::open(config.auth.users_file.clone())?.get(user) {
        Some(account) if !account.disabled => Ok(()),
        Some(_) => Err(Error::Refused(format!("the user {user:?} is disabled, so the token would not work"))),
        None => Err(Error::Refused(format!("there is no user {user:?}; to list all users: spiderpig-api user list"))),
    }
}

fn check_scopes(scopes: &[Scope], config: &Config) -> Result<(), Error> {
    for scope in scopes {
        if let Some(job_type) = scope.job_type()
            && config.job_type(job_type).is_none()
        {
            let known: Vec<&str> = config.job_types.keys().map(String::as_str).collect();
            let words = format!("there is no job type {job_type:?}; there are: {}", known.join(", "));
            return Err(Error::Refused(words));
        }
    }
    Ok(())
}

fn list(tokens: &[Token], now: Time, operator: &mut Operator) -> Result<(), Error> {
    if tokens.is_empty() {
        writeln!(operator.output, "There are no tokens")?;
    }
    let width = tokens.iter().map(|token| token.user.chars().count()).max().unwrap_or_default();
    for token in tokens {
        let Token { id, name, user, scopes, expires, .. } = token;
        let verb = if *expires > now { "expires" } else { "expired" };
        writeln!(operator.output, "{id}  {user:width$}  {verb} {expires}  {}  {name}", list_of(scopes))?;
    }
    Ok(())
}

fn revoke(id: &str, tokens: &Tokens, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let Some(token) = tokens.revoke(id, None)? else {
        return Err(Error::Refused(format!("there is no token {id:?}; to list all tokens: spiderpig-api token list")));
    };
    let details = json!({ "what": "revoked", "token": id, "of": token.user });
    operator.record(config, Event::TokenChanged, &details)?;
    writeln!(operator.output, "Token {id} of {}, {:?}, is revoked", token.user, token.name)?;
    Ok(())
}

fn list_of(scopes: &[Scope]) -> String {
    scopes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let expected = "this must be a duration such as 30d or 12h, and at most a year (365d)";
    let parsed = text.parse::<Span>().and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()));
    let duration = parsed.ok().filter(SignedDuration::is_positive).and_then(|duration| duration.try_into().ok());
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(|| expected.to_owned())
}

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() || text.chars().count() > MAX_NAME || text.contains(char::is_control) {
        return Err(format!("this must be 1 to {MAX_NAME} characters, all on one line"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_at_most_a_year() {
        let hours = |text: &str| lifetime(text).unwrap().as_secs() / 3600;
        assert_eq!((hours("12h"), hours("30d"), hours("1w 1d"), hours("365d")), (12, 720, 192, 8760));
        for bad in ["", "30", "d", "0s", "-1d", "30d ago", "366d", "1y", "1mo", "8760h1s", "99999999999999999999d"] {
            assert!(lifetime(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_short_and_on_one_line() {
        assert_eq!(name("nightly – zürich").unwrap(), "nightly – zürich");
        for bad in ["", "  ", "a\nb", "\u{1b}[2J", &"x".repeat(65)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
    }
}
