//! Those who sign in, for tests: somebody of each kind, all with the same password.

use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use super::{Guard, Source};
use crate::accounts::Auth;
use crate::accounts::attempts::AttemptOutcome;
use crate::accounts::cookie::key::Secret;
use crate::accounts::second_factor;
use crate::accounts::second_factor::{SecondFactors, Seed};
use crate::accounts::sessions::{Session, Sessions, after};
use crate::accounts::tokens::{NewToken, Scope, Tokens};
use crate::accounts::users::Users;
use crate::api::app::{App, Limits};
use crate::api::testing;
use crate::api::testing::{Bench, Reply};
use crate::config::{AuthMode, Config};
use crate::spool::Time;
use crate::spool::atomic;
use crate::spool::atomic::Durability;

/// Everybody's password.
pub const PASSWORD: &str = "correct horse battery";

/// Its hash, which is quickly verified.
pub const HASH: &str = "$argon2id$v=19$m=64,t=3,p=2$c29tZXNhbHQ$FBb/p4qXE/ESXaMMYj3l+C3R8QhwViyO";

/// Everybody and their group. Each is named for what they are; `half` may do what `user` may, and has no second factor
/// yet, like `stranger`.
const PEOPLE: [(&str, &str); 5] = [
    ("half", "deployers"),
    ("stranger", "visitors"),
    ("viewer", "readers"),
    ("user", "deployers"),
    ("admin", "admins"),
];

/// Those who sign in to the APIs of a bench, and what one of these knows of them.
pub struct People {
    /// What is known.
    pub guard: Arc<Guard>,
    /// What is configured.
    pub config: Config,
}

impl People {
    /// With accounts of their own, where everybody needs a second factor.
    pub fn of(bench: &Bench) -> Self {
        let people = Self::with(bench, |_| {});
        people.write(|_, account| Some(account));
        people.guard.refresh();
        for user in ["stranger", "viewer", "user", "admin"] {
            people.enrol(user);
        }
        people
    }

    /// As an API with another configuration knows them.
    pub fn with(bench: &Bench, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = testing::config();
        config.api.state_directory = bench.state_directory().path().to_owned();
        config.auth.mode = AuthMode::Local;
        config.auth.users_file = bench.spool.root().with_file_name("users.toml");
        config.auth.viewer_groups = vec!["readers".into()];
        change(&mut config);
        let guard = Arc::new(Guard::open(&config, Duration::from_secs(1)).unwrap());
        Self { guard, config }
    }

    /// At a single sign-on of this address.
    pub fn elsewhere(bench: &Bench, server_url: &str) -> Self {
        let server_url = server_url.to_owned();
        Self::with(bench, |config| config.auth.mode = AuthMode::Cas { server_url })
    }

    /// Writes the users file, as an operator would. `change` is given each name and what the file says of it.
    pub fn write(&self, change: impl Fn(&str, String) -> Option<String>) {
        let account = |name: &str, group: &str| {
            change(name, format!("[users.{name}]\npassword = \"{HASH}\"\ngroups = [\"{group}\"]\n"))
        };
        let text: String = PEOPLE.iter().filter_map(|(name, group)| account(name, group)).collect();
        atomic::replace(&self.config.auth.users_file, text.as_bytes(), 0o640, Durability::Ordered).unwrap();
    }

    /// Gives somebody a second factor, long enough ago that all codes of now can be used.
    pub fn enrol(&self, user: &str) {
        let then = Time::from_milliseconds(Time::now().as_milliseconds() - 3_600_000);
        self.guard.second_factors.remove(user).unwrap();
        let secret = self.guard.second_factors.begin(user, "", then).unwrap().unwrap().secret;
        self.guard.second_factors.confirm(user, &code_of(&secret, then), then).unwrap().unwrap();
    }

    /// A code of somebody's second factor that was not used yet. If the next one is too far away they get another
    /// second factor.
    pub fn code(&self, user: &str) -> String {
        if let Ok(code) = self.guard.second_factors.code_now(user, Time::now()).unwrap().code {
            return code.digits;
        }
        self.enrol(user);
        self.code(user)
    }

    /// An API that they sign in to. It does not follow what others change.
    pub fn app(&self, bench: &Bench) -> App {
        let app = bench.app();
        let limits = Limits { failed_sign_in: Duration::ZERO, ..app.limits };
        let auth = Auth::Guarded(Arc::clone(&self.guard));
        App { config: self.config.clone(), auth, limits, ..app }
    }

    /// A session as it is after all was shown that somebody has to show, before it begins.
    pub fn session(&self, user: &str, now: Time) -> Session {
        let mut session = Session::new(user, "192.0.2.1".into(), "Browser", now);
        session.second_factor = self.guard.second_factors.is_enrolled(user);
        session.password = self.guard.source.account(user).map(|account| account.stamp());
        session
    }

    /// All sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.guard.sessions
    }

    /// All tokens.
    pub fn tokens(&self) -> &Tokens {
        &self.guard.tokens
    }

    /// All second factors.
    pub fn second_factors(&self) -> &SecondFactors {
        &self.guard.second_factors
    }

    /// All accounts; there are none at a single sign-on.
    pub fn users(&self) -> &Users {
        let Source::Local(users) = &self.guard.source else { panic!("people sign in elsewhere") };
        users
    }

    /// Leaves nobody time to look at passwords.
    pub fn look_at_no_passwords(&self) {
        self.guard.hashing.close();
    }

    /// Counts an attempt of somebody at an address.
    pub fn attempt(&self, user: &str, address: &str) -> AttemptOutcome {
        let address = address.parse().unwrap();
        let subject = self.guard.attempt_subject(Some(user), address);
        self.guard.attempts.begin(subject, address, Time::now()).unwrap()
    }

    /// Makes streams look whether their client still has its rights.
    pub fn tell(&self) {
        self.guard.tell();
    }

    /// Begins a session.
    pub fn begin(&self, session: Session) -> Secret {
        self.guard.sessions.begin(session, None).unwrap()
    }

    /// The header field of a session.
    pub fn cookie(&self, secret: &Secret) -> String {
        let field = self.guard.cookies.set(&self.guard.key, secret, Duration::from_mins(1));
        format!("Cookie: {}\r\n", field.split(';').next().unwrap())
    }

    /// The header field of somebody who signs in now.
    pub fn signed_in(&self, user: &str) -> String {
        self.cookie(&self.begin(self.session(user, Time::now())))
    }

    /// The header field of a script that somebody has given a token for an hour.
    pub fn token(&self, user: &str, scopes: &[&str], now: Time) -> String {
        let scopes: Vec<Scope> = scopes.iter().map(|scope| scope.parse().unwrap()).collect();
        let expires = after(now, Duration::from_hours(1));
        let new = NewToken { name: "nightly".into(), user: user.into(), groups: None, scopes, expires };
        format!("Authorization: Bearer {}\r\n", self.guard.tokens.create(new, now).unwrap().secret)
    }
}

/// The code of a seed that is being set up.
pub fn code_of(secret: &str, now: Time) -> String {
    Seed::try_from(secret.replace(' ', "")).unwrap().code(second_factor::step_at(now))
}

/// What a browser sends after this reply; none if its cookie is not set, or taken away.
pub fn cookie_from(reply: &Reply) -> Option<String> {
    let cookie = reply.header("set-cookie")?.split(';').next().unwrap();
    (cookie != "session=").then(|| format!("Cookie: {cookie}\r\n"))
}

/// The header fields of a request.
pub fn headers(fields: &str) -> HeaderMap {
    let field = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
    };
    fields.lines().map(field).collect()
}
