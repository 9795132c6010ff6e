//! Single sign-on, which is a process of its own here, `examples/cas/cas.py`: how it keeps to the protocol, what we make
//! of its answers, and how people sign in and out by it.

use std::cell::RefCell;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::time::Duration;

use serde_json::{Value, json};
use spiderpig::accounts::cas::{Cas, CasError, Person};
use ureq::Body;
use ureq::http::Response;

use crate::client::{self, Api};
use crate::support::{DEADLINE, Daemon, StandIn, TestSpool, wait_until};

/// Where people come back to, encoded as an argument.
const SERVICE: &str = "http%3A%2F%2Flocalhost%3A8000%2Fapi%2Flogin";

/// The public address of an API that is not told one.
const PUBLIC_URL: &str = "http://localhost:8000";

/// A single sign-on.
struct Sso {
    service: StandIn,
    url: String,
}

/// What a browser sees of a response.
struct Reply {
    status: u16,
    location: String,
    /// The first cookie that is set, as it is sent back; or nothing.
    cookie: String,
    body: String,
}

impl Sso {
    /// Its tickets do not expire while a test runs, unless the arguments say so: the last of an option counts.
    fn start(arguments: &[&str]) -> Self {
        let service = StandIn::start("examples/cas/cas.py", &[&["--ticket-seconds", "600"], arguments].concat());
        Self { url: format!("http://127.0.0.1:{}/cas", service.port), service }
    }

    fn get(&self, path: &str, cookie: &str) -> Reply {
        get(&format!("{}{path}", self.url), cookie)
    }

    /// Presses the button of a user on the form.
    fn choose(&self, path: &str, user: &str) -> Reply {
        Reply::of(agent().post(format!("{}{path}", self.url)).send_form([("user", user)]).unwrap())
    }

    fn ticket(&self, service: &str, user: &str) -> String {
        self.choose(&format!("/login?service={service}"), user).ticket()
    }

    fn validate(&self, service: &str, ticket: &str) -> String {
        let reply = self.get(&format!("/p3/serviceValidate?service={service}&ticket={ticket}"), "");
        assert_eq!(reply.status, 200);
        reply.body
    }

    /// Our client of it.
    fn client(&self, time_limit: Duration) -> Cas {
        Cas::of(&self.url, PUBLIC_URL, time_limit)
    }

    /// Who somebody is who chooses a name and comes back.
    fn person(&self, user: &str, time_limit: Duration) -> Result<Person, CasError> {
        let ticket = self.ticket(SERVICE, user);
        wait(self.client(time_limit).validate(&ticket, None, "/"))
    }
}

impl Reply {
    fn of(mut response: Response<Body>) -> Self {
        let header = |name: &str| {
            let value = response.headers().get(name);
            value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
        };
        let (location, cookie) = (header("location"), header("set-cookie"));
        let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        let status = response.status().as_u16();
        Self { status, location, cookie, body: response.body_mut().read_to_string().unwrap() }
    }

    fn ticket(&self) -> String {
        self.location.split_once("ticket=").unwrap().1.to_owned()
    }
}

/// A client that goes nowhere by itself, and to which no status is an error.
fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into()
}

fn get(url: &str, cookie: &str) -> Reply {
    Reply::of(agent().get(url).header("Cookie", cookie).call().unwrap())
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

mod protocol {
    use super::*;

    #[test]
    fn a_ticket_is_good_once_and_for_its_service_only() {
        let sso = Sso::start(&[]);
        let ticket = sso.ticket(SERVICE, "ada");
        let answer = sso.validate(SERVICE, &ticket);
        for part in ["<cas:user>ada</cas:user>", "<cas:memberOf>deployers</cas:memberOf>", "<cas:memberOf>admins<"] {
            assert!(answer.contains(part), "{answer}");
        }
        assert!(sso.validate(SERVICE, &ticket).contains("code=\"INVALID_TICKET\""));

        let foreign = sso.ticket("http%3A%2F%2Flocalhost%3A9000%2F", "ada");
        assert!(sso.validate(SERVICE, &foreign).contains("code=\"INVALID_SERVICE\""));
        assert!(sso.validate("http%3A%2F%2Flocalhost%3A9000%2F", &foreign).contains("INVALID_TICKET"), "used up");
        assert!(sso.validate(SERVICE, "TGT-1").contains("code=\"INVALID_TICKET_SPEC\""));
        assert!(sso.validate(SERVICE, "").contains("code=\"INVALID_REQUEST\""));
        assert!(sso.validate("", "ST-1").contains("code=\"INVALID_REQUEST\""));
    }

    #[test]
    fn a_ticket_expires() {
        let sso = Sso::start(&["--ticket-seconds", "0"]);
        assert!(sso.validate(SERVICE, &sso.ticket(SERVICE, "ada")).contains("code=\"INVALID_TICKET\""));
    }

    #[test]
    fn a_second_visit_signs_in_silently_until_the_sign_out() {
        let sso = Sso::start(&[]);
        let login = format!("/login?service={SERVICE}%3Fnext%3D%252F");
        let form = sso.get(&login, "");
        assert!(form.status == 200 && form.body.contains("value='alice'"), "{}", form.body);
        let first = sso.choose(&login, "alice");
        assert!(
            first.location.starts_with("http://localhost:8000/api/login?next=%2F&ticket=ST-"),
            "{}",
            first.location
        );
        assert!(first.status == 303 && first.cookie.starts_with("TGC=TGT-"), "{}", first.cookie);

        let second = sso.get(&login, &first.cookie);
        assert!(second.status == 302 && second.ticket() != first.ticket(), "{}", second.location);
        assert_eq!(sso.get(&format!("{login}&renew=true"), &first.cookie).status, 200);
        let validate = format!("/p3/serviceValidate?service={SERVICE}%3Fnext%3D%252F&renew=true&ticket=");
        assert!(sso.get(&(validate.clone() + &first.ticket()), "").body.contains("authenticationSuccess"));
        assert!(sso.get(&(validate + &second.ticket()), "").body.contains("not from a new login"));
        let nobody = sso.get(&format!("{login}&gateway=true"), "");
        assert_eq!(nobody.location, "http://localhost:8000/api/login?next=%2F");

        let out = sso.get("/logout?service=http%3A%2F%2Flocalhost%3A8000%2F", &first.cookie);
        assert_eq!((out.status, out.location.as_str(), out.cookie.as_str()), (302, "http://localhost:8000/", "TGC="));
        assert_eq!(sso.get(&login, &first.cookie).status, 200, "the form again");
    }

    #[test]
    fn nobody_is_sent_to_a_stranger() {
        let sso = Sso::start(&[]);
        for service in ["https%3A%2F%2Fevil.test%2F", "javascript%3Aalert(1)", "%2F%2Fevil.test", "http%3A%2F%2F%5B"] {
            let login = format!("/login?service={service}");
            let signed_in = sso.choose("/login", "alice").cookie;
            let out = sso.get(&format!("/logout?service={service}"), "");
            for reply in [sso.get(&login, ""), sso.get(&login, &signed_in), sso.choose(&login, "alice"), out] {
                assert!(reply.location.is_empty() && reply.status != 302, "{service}");
            }
        }
        assert_eq!(sso.choose(&format!("/login?service={SERVICE}"), "nobody").status, 401);
        let known = Sso::start(&["--service", "https://deploy.test/"]);
        assert_eq!(known.get("/login?service=https%3A%2F%2Fdeploy.test%2Fapi%2Flogin", "").status, 200);
        assert_eq!(known.get(&format!("/login?service={SERVICE}"), "").status, 403);
    }
}

mod answers {
    use super::*;

    #[test]
    fn people_come_with_their_groups() {
        let sso = Sso::start(&[]);
        let person = |user: &str| sso.person(user, DEADLINE).unwrap();
        let groups = |groups: &[&str]| groups.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(person("ada"), Person { user: "ada".into(), groups: groups(&["deployers", "admins"]) });
        assert_eq!(person("no-groups"), Person { user: "no-groups".into(), groups: vec![] });
        for user in ["comment", "cdata", "prefix"] {
            assert_eq!(person(user), Person { user: user.into(), groups: groups(&["deployers"]) });
        }
        let many = person("many").groups;
        assert_eq!((many.len(), many[999].as_str()), (1000, "deployers"));
    }

    #[test]
    fn people_may_be_others_than_the_usual() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("people.json");
        let sso = Sso::start(&["--people", file.to_str().unwrap()]);
        for groups in [json!(["a & b", "<c>"]), json!([])] {
            std::fs::write(&file, json!({ "zoë": groups }).to_string()).unwrap();
            let person = sso.person("zoë", DEADLINE).unwrap();
            assert_eq!((person.user.as_str(), json!(person.groups)), ("zoë", groups));
        }
    }

    #[test]
    fn a_ticket_is_taken_once_and_with_the_page_that_was_asked_for() {
        let sso = Sso::start(&[]);
        let cas = sso.client(DEADLINE);
        let ticket = |next: &str| {
            let url = cas.sign_in_url("5f", next);
            sso.choose(url.strip_prefix(&sso.url).unwrap(), "alice").ticket()
        };
        let code_of = |ticket: &str, state: &str, next: &str| match wait(cas.validate(ticket, Some(state), next)) {
            Ok(person) => person.user,
            Err(CasError::Refused { code, .. }) => code,
            Err(error) => panic!("{error}"),
        };
        let code = |ticket: &str, next: &str| code_of(ticket, "5f", next);
        assert_eq!(code_of(&ticket("/"), "60", "/"), "INVALID_SERVICE", "sent with another state");
        for next in ["/", "/jobs/7", "/?q=a&b=ü%20#x", "/a?ticket=ST-1"] {
            let good = ticket(next);
            assert_eq!((code(&good, next).as_str(), code(&good, next).as_str()), ("alice", "INVALID_TICKET"), "{next}");
            assert_eq!(code(&ticket(next), "/other"), "INVALID_SERVICE");
        }
        for (bad, expected) in [("ST-1&x=y#", "INVALID_TICKET"), ("x", "INVALID_TICKET_SPEC"), ("", "INVALID_REQUEST")]
        {
            assert_eq!(code(bad, "/"), expected);
        }
        let out = cas.sign_out_url();
        assert_eq!(sso.get(out.strip_prefix(&sso.url).unwrap(), "").location, "http://localhost:8000/");
    }

    #[test]
    fn whatever_is_wrong_with_an_answer_nobody_is_signed_in() {
        let mut sso = Sso::start(&[]);
        let nonsense = "sent an answer that is not taken: ";
        let uid = "it must have the attribute `uid` once";
        let doctype = "it has a document type declaration";
        for (user, words) in [
            ("no-uid", uid),
            ("two-uids", uid),
            ("other-user", uid),
            ("hidden", uid),
            ("two-users", "it must have one `user`"),
            ("control", "its `uid` must be 1 to 256 bytes"),
            ("namespace", "it begins with \"serviceResponse\" and not with the `serviceResponse` of CAS"),
            ("bomb", doctype),
            ("external", doctype),
            ("page", doctype),
            ("deep", "its elements are more than 16 deep in each other"),
            ("latin1", "it is not in UTF-8"),
            ("broken", "it ends too early"),
            ("empty", "it ends too early"),
        ] {
            let error = sso.person(user, DEADLINE).unwrap_err();
            assert!(matches!(error, CasError::Nonsense(_)), "{user}: {error}");
            assert!(error.to_string().starts_with(&format!("{nonsense}{words}")), "{user}: {error}");
        }
        let unreachable = |user: &str, time_limit, words: &str| {
            let error = sso.person(user, time_limit).unwrap_err();
            assert!(matches!(error, CasError::Unreachable(_)), "{user}: {error}");
            assert!(error.to_string().starts_with(words), "{user}: {error}");
        };
        for (user, words) in [
            ("endless", "sent more than 4 MiB"),
            ("error", "answered 500"),
            ("redirect", "answered 302, and points to https://elsewhere.example/login"),
            ("reset", "cannot be asked: "),
            ("short", "cannot be asked: end of file before message length reached"),
        ] {
            unreachable(user, DEADLINE, words);
        }
        for user in ["slow", "trickling"] {
            unreachable(user, Duration::from_secs(1), "did not answer within 1 s");
        }
        let cas = sso.client(DEADLINE);
        sso.service.stop();
        let error = wait(cas.validate("ST-1", None, "/")).unwrap_err().to_string();
        assert!(error.starts_with("cannot be asked: Connection refused"), "{error}");
    }
}

/// The whole way, through the API.
mod signing_in {
    use super::*;

    struct Stage {
        api: Api,
        sso: Sso,
        /// The cookie of a browser that was sent away.
        sent: RefCell<String>,
        _runner: Daemon,
        spool: TestSpool,
    }

    fn stage(arguments: &[&str]) -> Stage {
        stage_with(arguments, "")
    }

    fn stage_with(arguments: &[&str], more: &str) -> Stage {
        let sso = Sso::start(arguments);
        let spool = TestSpool::new();
        let cas = format!("cas = {{ server_url = \"{}\"{more} }}\n", sso.url);
        spool.set_auth(&format!("mode = \"cas\"\ntwo_factor = false\n{cas}"));
        let runner = spool.runner();
        Stage { api: client::start(&spool), sso, sent: RefCell::default(), _runner: runner, spool }
    }

    impl Stage {
        /// With what the browser that was sent away has, too.
        fn get(&self, path: &str, cookie: &str) -> Reply {
            self.get_elsewhere(path, &format!("{}; {cookie}", self.sent.borrow()))
        }

        /// In another browser.
        fn get_elsewhere(&self, path: &str, cookie: &str) -> Reply {
            get(&format!("{}{path}", self.api.base), cookie)
        }

        /// Goes to the single sign-on, chooses a name, and says where the browser is sent back to.
        fn way_back(&self, next: &str, user: &str) -> String {
            let away = self.get(&format!("/api/login?next={next}"), "");
            assert_eq!(away.status, 303);
            assert!(away.cookie.starts_with("sign_in="), "{}", away.cookie);
            self.sent.replace(away.cookie.clone());
            let back = self.sso.choose(away.location.strip_prefix(&self.sso.url).unwrap(), user);
            back.location.strip_prefix(PUBLIC_URL).unwrap().to_owned()
        }

        fn sign_in(&self, user: &str) -> Reply {
            self.get(&self.way_back("/", user), "")
        }

        fn whoami(&self, cookie: &str) -> Value {
            serde_json::from_str(&self.get("/api/whoami", cookie).body).unwrap()
        }
    }

    /// Nobody is signed in, and the page is told why in a word.
    #[track_caller]
    fn refused(reply: &Reply, problem: &str) {
        let (page, query) = reply.location.split_once('?').unwrap();
        assert_eq!((reply.status, page), (303, "/login"));
        assert!(query.split('&').any(|argument| argument == format!("problem={problem}")), "{query}");
        assert_eq!(reply.cookie, "");
    }

    #[test]
    fn somebody_signs_in_and_gets_to_the_page_that_they_wanted() {
        let stage = stage(&[]);
        let way = stage.way_back("/jobs/7", "alice");
        let back = stage.get(&way, "");
        assert_eq!((back.status, back.location.as_str()), (303, "/jobs/7"));
        assert!(back.cookie.starts_with("session="), "{}", back.cookie);
        let me = stage.whoami(&back.cookie);
        assert_eq!((&me["user"], &me["mode"], &me["isAuthorized"]), (&json!("alice"), &json!("cas"), &json!(true)));
        assert_eq!((&me["isAdmin"], &me["groups"]), (&json!(false), &json!(["deployers"])));
        assert_eq!(stage.whoami("")["user"], Value::Null);
        refused(&stage.get(&way, ""), "ticket");
    }

    #[test]
    fn groups_say_what_somebody_may_do() {
        let stage = stage(&[]);
        for (user, is_authorized, is_admin) in [
            ("ada", true, true),
            ("bob", true, false),
            ("many", true, false),
            ("comment", true, false),
            ("cdata", true, false),
            ("mallory", false, false),
            ("no-groups", false, false),
        ] {
            let me = stage.whoami(&stage.sign_in(user).cookie);
            let expected = (&json!(user), &json!(is_authorized), &json!(is_admin));
            assert_eq!((&me["user"], &me["isAuthorized"], &me["isAdmin"]), expected);
        }
    }

    #[test]
    fn a_ticket_that_is_not_for_us_signs_nobody_in() {
        let stage = stage_with(&[], ", unsolicited_tickets = true");
        let foreign = stage.sso.ticket("http%3A%2F%2Flocalhost%3A9000%2F", "ada");
        let other_page = stage.way_back("/jobs/7", "ada").replace("next=%2Fjobs%2F7", "next=%2Fjobs%2F8");
        for ticket in [&foreign, "ST-1", "x", "", "%3Cscript%3E", "TGT-1"] {
            refused(&stage.get(&format!("/api/login?ticket={ticket}"), ""), "ticket");
        }
        refused(&stage.get(&other_page, ""), "ticket");
    }

    #[test]
    fn an_expired_ticket_signs_nobody_in() {
        refused(&stage(&["--ticket-seconds", "0"]).sign_in("alice"), "ticket");
    }

    #[test]
    fn a_single_sign_on_that_is_not_itself_signs_nobody_in() {
        let mut stage = stage(&[]);
        for user in ["no-uid", "two-uids", "two-users", "hidden", "bomb", "external", "deep", "broken", "empty", "page"]
        {
            refused(&stage.sign_in(user), "nonsense");
        }
        for user in ["error", "redirect", "reset", "endless", "slow"] {
            refused(&stage.sign_in(user), "unreachable");
        }
        stage.sso.service.stop();
        let way = stage.get("/api/login", "").location;
        let (_, sent_with) = way.split_once("state%3D").unwrap();
        refused(&stage.get(&format!("/api/login?ticket=ST-1&state={sent_with}"), ""), "unreachable");
    }

    #[test]
    fn a_ticket_is_taken_only_of_the_browser_that_asked_for_it() {
        let stage = stage(&[]);
        // Somebody signs in as far as the ticket, and has another follow the link.
        let way = stage.way_back("/jobs/7", "mallory");
        refused(&stage.get_elsewhere(&way, ""), "unsolicited");
        let other = stage.get_elsewhere("/api/login", "").cookie;
        refused(&stage.get_elsewhere(&way, &other), "unsolicited");
        let (path, _) = way.split_once("state=").unwrap();
        let ticket = way.rsplit('=').next().unwrap();
        for forged in [format!("/api/login?ticket={ticket}"), format!("{path}state=&ticket={ticket}")] {
            refused(&stage.get(&forged, &other), "unsolicited");
        }
        // The ticket was not used up, and is good for who asked; several windows may be on their way at once.
        let second = stage.way_back("/", "mallory");
        for way in [&way, &second] {
            assert_eq!(stage.whoami(&stage.get(way, "").cookie)["user"], "mallory");
        }
        let trail = std::fs::read_to_string(stage.spool.state_directory().join("audit.jsonl")).unwrap();
        assert!(trail.contains("\"event\":\"refused\"") && trail.contains("was not sent"), "{trail}");
        assert!(!trail.contains(ticket), "{trail}");
    }

    #[test]
    fn where_it_is_configured_a_ticket_may_come_alone() {
        let stage = stage_with(&[], ", unsolicited_tickets = true");
        let ticket = stage.sso.ticket(SERVICE, "alice");
        let back = stage.get_elsewhere(&format!("/api/login?ticket={ticket}"), "");
        assert_eq!((back.status, stage.whoami(&back.cookie)["user"].as_str()), (303, Some("alice")));
        refused(&stage.get_elsewhere(&stage.way_back("/", "alice"), ""), "unsolicited");
    }

    #[test]
    fn who_signs_out_at_the_single_sign_on_is_signed_out_here_at_every_api() {
        let told = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let logout_url = format!("http://{}/", told.local_addr().unwrap());
        let stage = stage(&["--logout-url", &logout_url]);
        let other = client::start(&stage.spool);
        let at_other = |cookie: &str| get(&format!("{}/api/jobs", other.base), cookie).status;
        let away = stage.get("/api/login", "");
        stage.sent.replace(away.cookie);
        let chosen = stage.sso.choose(away.location.strip_prefix(&stage.sso.url).unwrap(), "alice");
        let session = stage.get(chosen.location.strip_prefix(PUBLIC_URL).unwrap(), "").cookie;
        let bystander = stage.sign_in("bob").cookie;
        wait_until("the other API knows", || [&session, &bystander].map(|cookie| at_other(cookie)) == [200, 200]);

        let telling = std::thread::spawn(move || {
            let (mut stream, _) = told.accept().unwrap();
            let (mut head, mut length) = (BufReader::new(stream.try_clone().unwrap()), 0);
            for line in head.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()) {
                if let Some((_, value)) = line.to_ascii_lowercase().split_once("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut form = vec![0; length];
            head.read_exact(&mut form).unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
            String::from_utf8(form).unwrap()
        });
        stage.sso.get("/logout", &chosen.cookie);
        let form = telling.join().unwrap();
        let tell = |form: &str| {
            let kind = "application/x-www-form-urlencoded";
            let url = format!("{}/api/login", stage.api.base);
            agent().post(url).header("Content-Type", kind).send(form).unwrap().status().as_u16()
        };
        // Who does not know the ticket ends nothing, and is told nothing.
        assert_eq!(tell(&form.replace("ST-", "ST-x")), 200);
        assert_eq!((tell("logoutRequest=x"), tell("")), (400, 400));
        assert_eq!(at_other(&session), 200);
        assert_eq!(tell(&form), 200);
        assert_eq!(stage.whoami(&session)["user"], Value::Null);
        wait_until("the other API knows", || at_other(&session) == 401);
        assert_eq!((at_other(&bystander), tell(&form)), (200, 200));
        let trail = std::fs::read_to_string(stage.spool.state_directory().join("audit.jsonl")).unwrap();
        assert_eq!(trail.matches("\"event\":\"sign_out\",\"user\":\"alice\"").count(), 1, "{trail}");
    }

    #[test]
    fn a_link_with_a_ticket_makes_nobody_somebody_else() {
        let stage = stage(&[]);
        let alice = stage.sign_in("alice").cookie;
        refused(&stage.get(&stage.way_back("/", "bob"), &alice), "other_user");
        assert_eq!(stage.whoami(&alice)["user"], "alice");
        let again = stage.get(&stage.way_back("/", "alice"), &alice).cookie;
        assert!(again.starts_with("session=") && again != alice, "each sign-in has a cookie of its own");
        assert_eq!(stage.whoami(&alice)["user"], Value::Null);
    }

    #[test]
    fn signing_out_is_signing_out_of_everything() {
        let stage = stage(&[]);
        let away = stage.get("/api/login", "");
        stage.sent.replace(away.cookie);
        let login = away.location.strip_prefix(&stage.sso.url).unwrap();
        let chosen = stage.sso.choose(login, "alice");
        let session = stage.get(chosen.location.strip_prefix(PUBLIC_URL).unwrap(), "").cookie;
        assert_eq!(stage.sso.get(login, &chosen.cookie).status, 302, "a second visit would be silent");
        let logout = format!("{}/api/logout", stage.api.base);
        let out = Reply::of(agent().post(logout).header("Cookie", &session).send("").unwrap());
        let answer: Value = serde_json::from_str(&out.body).unwrap();
        let url = answer["SSOLogoutUrl"].as_str().unwrap();
        assert_eq!(url, format!("{}/logout?service=http%3A%2F%2Flocalhost%3A8000%2F", stage.sso.url));
        stage.sso.get(url.strip_prefix(&stage.sso.url).unwrap(), &chosen.cookie);
        assert_eq!(stage.sso.get(login, &chosen.cookie).status, 200, "the form again");
        assert_eq!(stage.whoami(&session)["user"], Value::Null);
    }
}
