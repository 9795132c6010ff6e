//! `spiderpig-api token`: by what scripts sign in.

use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::{Error, Operator};
use crate::api::auth::tokens::{NewToken, Scope, Token, Tokens};
use crate::api::state_directory::StateDirectory;
use crate::check::Account;
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
    /// Make a token, and print it: nobody can do so again
    Create(Create),
    /// List the tokens, without their secrets
    List {
        /// Only those of this user
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
    },
    /// Make a token good for nothing
    Revoke {
        /// Its identifier, as `list` shows it
        id: String,
    },
}

/// The token that is wanted.
#[derive(Debug, Args)]
pub struct Create {
    /// Who acts: what a script does with the token is done by this user
    #[arg(long, value_name = "NAME")]
    user: String,
    /// What it is good for: read, answer (also to stop jobs), or start: with a job type. May be given more than once
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// How long it is good for, such as 30d or 12h; a year at most
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Duration,
    /// What it is for
    #[arg(long, value_name = "TEXT", value_parser = name)]
    name: String,
    /// A group of the user, where only single sign-on knows them. May be given more than once
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
}

pub(super) fn run(command: Command, config: &Config, operator: &mut Operator) -> Result<(), Error> {
    let tokens = open(config)?;
    let now = Time::now();
    match command {
        Command::Create(wanted) => create(wanted, &tokens, config, now, operator),
        Command::List { user } => list(&user.map_or_else(|| tokens.all(), |user| tokens.of_user(&user)), now, operator),
        Command::Revoke { id } => revoke(&id, &tokens, operator),
    }
}

/// What one account makes in the directory of another, that one could not use.
fn open(config: &Config) -> Result<Tokens, Error> {
    let path = &config.api.state_directory;
    let owner = path.metadata().map(|metadata| metadata.uid());
    if let Ok(owner) = owner
        && owner != rustix::process::geteuid().as_raw()
    {
        let (path, owner) = (path.display(), Account::of(owner).name());
        return Err(Error::Refused(format!(
            "{path} belongs to the account {owner}; run this as {owner}: sudo --user={owner} spiderpig-api token …"
        )));
    }
    Ok(Tokens::open(&StateDirectory::new(path))?)
}

fn create(wanted: Create, tokens: &Tokens, config: &Config, now: Time, operator: &mut Operator) -> Result<(), Error> {
    let groups = groups(&wanted, config).map_err(Error::Refused)?;
    let Create { user, mut scopes, expires, name, .. } = wanted;
    scopes.sort();
    scopes.dedup();
    check_scopes(&scopes, config).map_err(Error::Refused)?;
    let expires = now.as_milliseconds().saturating_add(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX));
    let expires = Time::from_milliseconds(expires);
    let new = NewToken { name, user: user.clone(), groups, scopes: scopes.clone(), expires };
    let created = tokens.create(new, now)?;
    writeln!(operator.output, "{}", created.secret)?;
    writeln!(
        operator.output,
        "This is not shown again. Token {} of {user}, until {expires}: {}",
        created.id,
        list_of(&scopes)
    )?;
    Ok(())
}

/// The groups that the token has of its own, if its user is one for whom there can be a token.
fn groups(wanted: &Create, config: &Config) -> Result<Option<Vec<String>>, String> {
    check_name(&wanted.user)?;
    match &config.auth.mode {
        AuthMode::None => {
            Err("with authentication mode \"none\" nobody signs in, and no token is looked at".to_owned())
        }
        AuthMode::Local if !wanted.groups.is_empty() => {
            Err("with authentication mode \"local\" a token has the groups of its user; leave out --group".to_owned())
        }
        AuthMode::Local => Ok(None),
        AuthMode::Cas { .. } if wanted.groups.is_empty() => {
            Err("only single sign-on knows the groups of this user; name those that the token is to have with --group"
                .to_owned())
        }
        AuthMode::Cas { .. } => Ok(Some(wanted.groups.clone())),
    }
}

fn check_scopes(scopes: &[Scope], config: &Config) -> Result<(), String> {
    for scope in scopes {
        if let Scope::Start(job_type) = scope
            && config.job_type(job_type).is_none()
        {
            let known: Vec<&str> = config.job_types.keys().map(String::as_str).collect();
            return Err(format!("there is no job type {job_type:?}; there are {}", known.join(", ")));
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

fn revoke(id: &str, tokens: &Tokens, operator: &mut Operator) -> Result<(), Error> {
    let Some(token) = tokens.revoke(id, None)? else {
        return Err(Error::Refused(format!(
            "there is no token {id:?}; `spiderpig-api token list` shows those there are"
        )));
    };
    writeln!(operator.output, "Token {id} of {}, {}, is revoked", token.user, token.name)?;
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
