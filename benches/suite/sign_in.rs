//! Measures the cost of signing in, and the information in its duration.
//!
//! People who time refusals must not learn which users exist. So each refusal takes 1 s. Without that second, as this
//! suite also measures, the check of an unknown user's password takes as much work as any other.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use spiderpig::accounts::cookie::Cookies;
use spiderpig::accounts::cookie::key::Key;
use spiderpig::accounts::password;
use spiderpig::accounts::sessions::{Session, Sessions};
use spiderpig::accounts::users::Users;
use spiderpig::spool::Time;

use super::Result;
use super::http::Client;
use super::lists::{REQUESTS_PER_SECOND, rate};
use super::samples::{Samples, milliseconds};
use super::stage::Stage;
use super::table::Row;

/// The number of refusals of each kind: one less than would lock a user.
const REFUSALS: usize = 9;

/// The maximum difference between the medians of refusals. The remaining difference comes from the runtime's clock,
/// which counts milliseconds.
const REFUSALS_DIFFER: Duration = Duration::from_millis(1);

/// The number of password checks of each kind.
const LOOKS: usize = 40;

const PASSWORD: &str = "correct horse battery staple";

/// Measures refusals, password checks, and pages for a user who is signed in.
pub fn measure(root: &Path) -> Result<Vec<Row>> {
    let users = format!("[users.alice]\npassword = \"{}\"\ngroups = [\"deployers\"]\n", password::hash(PASSWORD)?);
    let mut stage = Stage::new(root)?.with_users(&users)?;
    let (_, port) = stage.start_api()?;
    let mut rows = vec![refusals(port)?];
    rows.push(looks(&stage)?);
    let rate = rate(port, &cookie(&stage)?)?;
    rows.push(
        Row::new("GET /api/jobs?limit=10, 8 connections, signed in", format!("{rate:.0}/s"))
            .goal(format!("{REQUESTS_PER_SECOND}/s"), rate >= f64::from(REQUESTS_PER_SECOND)),
    );
    Ok(rows)
}

fn refusals(port: u16) -> Result<Row> {
    let mut client = Client::connect(port)?;
    let mut refusal = |user: &str| -> Result<Duration> {
        let body = json!({ "user": user, "password": "not this one either" }).to_string();
        let begun = Instant::now();
        client.post("/api/login", &body, 401)?;
        Ok(begun.elapsed())
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    // The kinds take turns, so that other work of this machine affects both.
    for _ in 0..REFUSALS {
        known.push(refusal("alice")?);
        unknown.push(refusal("mallory")?);
    }
    Ok(difference("refused sign-ins, known and unknown user: medians differ by", known, unknown, REFUSALS_DIFFER))
}

/// The work without the second, in this process.
fn looks(stage: &Stage) -> Result<Row> {
    let users = Users::open(stage.users_file())?;
    let account = users.get("alice").ok_or("there is no alice")?;
    let look = |hash| -> Result<Duration> {
        let begun = Instant::now();
        if password::verify("not this one either", hash) {
            return Err("a wrong password is right".into());
        }
        Ok(begun.elapsed())
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..LOOKS {
        known.push(look(Some(&account.password))?);
        unknown.push(look(None)?);
    }
    let limit = Samples::from(known.clone()).median() / 10;
    Ok(difference("a look at a password, known and unknown user: medians differ by", known, unknown, limit))
}

fn difference(what: &str, known: Vec<Duration>, unknown: Vec<Duration>, limit: Duration) -> Row {
    let (known, unknown) = (Samples::from(known).median(), Samples::from(unknown).median());
    let difference = known.abs_diff(unknown);
    let measured = format!("{} ({} and {})", milliseconds(difference), milliseconds(known), milliseconds(unknown));
    Row::new(what, measured).goal(milliseconds(limit), difference <= limit)
}

/// The header line of a browser in which alice is signed in.
fn cookie(stage: &Stage) -> Result<String> {
    let directory = stage.state_directory();
    let account = Users::open(stage.users_file())?.get("alice").ok_or("there is no alice")?;
    let mut session = Session::new("alice", "127.0.0.1".into(), "bench", Time::now());
    session.password = Some(account.stamp());
    let secret = Sessions::open(&directory)?.begin(session, None)?;
    let field = Cookies { secure: false }.set(&Key::open(&directory)?, &secret, Duration::from_mins(1));
    Ok(format!("Cookie: {}\r\n", field.split(';').next().unwrap_or_default()))
}
