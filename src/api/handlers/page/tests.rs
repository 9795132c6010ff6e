use super::*;
use crate::api::testing::{Bench, Client, Reply, app};

const SCRIPT: &str = "/assets/index-Ab_1-x.js";

/// Asks a service that has the page of the tests, with `headers` beside `Host`.
async fn ask(request_line: &str, headers: &str) -> Reply {
    ask_of(app(), request_line, headers).await
}

async fn ask_of(app: App, request_line: &str, headers: &str) -> Reply {
    let mut client = Client::connect(Bench::serve(app).await).await;
    client.ask_with(request_line, &format!("Host: localhost\r\n{headers}"), "").await
}

/// A service whose page was never built.
fn app_without_page() -> App {
    App { page: EmbeddedFiles::none(), ..app() }
}

/// The fields of a response, in the order of `names`.
fn fields<'a>(reply: &'a Reply, names: &[&str]) -> Vec<Option<&'a str>> {
    names.iter().map(|name| reply.header(name)).collect()
}

#[tokio::test]
async fn every_path_of_the_page_gives_the_same_document_which_may_load_only_what_is_ours() {
    let mut client = Client::connect(Bench::serve(app()).await).await;
    for path in ["/", "/jobs/7", "/jobs/none", "/start/a%2Fb", "/runner", "/mediawiki/train", "/?q=1"] {
        let reply = client.ask(&format!("GET {path}")).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.body, include_str!("tests/index.html"));
        let names = ["content-type", "cache-control", "referrer-policy", "x-content-type-options"];
        let expected = ["text/html; charset=utf-8", "no-cache", "same-origin", "nosniff"];
        assert_eq!(fields(&reply, &names), expected.map(Some), "{path}");
        assert_eq!(reply.header("content-security-policy"), Some(POLICY));
    }
    assert!(!POLICY.contains("unsafe") && POLICY.starts_with("default-src 'none'; script-src 'self';"));
}

#[tokio::test]
async fn an_asset_is_kept_for_ever_and_comes_in_the_form_that_the_client_likes_best() {
    let names = ["content-encoding", "vary", "cache-control", "x-content-type-options", "content-type"];
    for (accept, encoding, body) in [
        ("", None, include_str!("tests/assets/index-Ab_1-x.js")),
        ("Accept-Encoding: identity\r\n", None, include_str!("tests/assets/index-Ab_1-x.js")),
        ("Accept-Encoding: gzip, deflate, br, zstd\r\n", Some("br"), "This stands for brotli.\n"),
        ("Accept-Encoding: gzip, br;q=0.5\r\n", Some("gzip"), "This stands for gzip.\n"),
    ] {
        let reply = ask(&format!("GET {SCRIPT}"), accept).await;
        assert_eq!((reply.status.as_u16(), &*reply.body), (200, body), "{accept}");
        let rest = ["Accept-Encoding", FOR_EVER, "nosniff", "text/javascript; charset=utf-8"].map(Some);
        assert_eq!(fields(&reply, &names), [&[encoding][..], &rest].concat(), "{accept}");
    }
    // This one has no brotli beside it.
    let reply = ask("GET /assets/index-Cd_2-y.css", "Accept-Encoding: br, gzip;q=0.1\r\n").await;
    assert_eq!(fields(&reply, &names[..2]), [Some("gzip"), Some("Accept-Encoding")]);
    let reply = ask("GET /assets/pig-Ef_3-z.svg", "Accept-Encoding: br, gzip\r\n").await;
    assert_eq!(fields(&reply, &names[..2]), [None, Some("Accept-Encoding")]);
}

#[tokio::test]
async fn a_file_is_of_the_type_that_its_name_tells() {
    for (name, expected) in [
        ("index-Ab_1-x.js", "text/javascript; charset=utf-8"),
        ("index-Cd_2-y.css", "text/css; charset=utf-8"),
        ("pig-Ef_3-z.svg", "image/svg+xml"),
        ("pig-Gh_4-w.woff2", "font/woff2"),
        ("pig-Ij_5-v.unknown", "application/octet-stream"),
    ] {
        let reply = ask(&format!("GET /assets/{name}"), "").await;
        assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, Some(expected)), "{name}");
    }
}

#[tokio::test]
async fn head_tells_of_the_form_that_get_would_give() {
    for path in ["/", SCRIPT] {
        let headers = "Accept-Encoding: br\r\n";
        let got = ask(&format!("GET {path}"), headers).await;
        let told = ask(&format!("HEAD {path}"), headers).await;
        assert_eq!((told.status.as_u16(), &*told.body), (200, ""));
        for name in ["content-length", "content-type", "content-encoding", "cache-control"] {
            assert_eq!(told.header(name), got.header(name), "{path} {name}");
        }
        assert_eq!(told.header("content-length"), Some(&*got.body.len().to_string()));
    }
    let reply = ask("POST /", "").await;
    assert_eq!((reply.status.as_u16(), reply.header("allow")), (405, Some("GET, HEAD")));
}

#[tokio::test]
async fn an_asset_that_is_not_there_is_404_whoever_asks() {
    for name in [
        "index-old.js",
        "index-Ab_1-x.js.br",
        "index-Ab_1-x.js.gz",
        "..",
        "../index.html",
        "..%2Findex.html",
        "..%5Cindex.html",
        "%2E%2E%2Findex.html",
        "%2e%2e/index.html",
        "..%2Fassets%2Findex-Ab_1-x.js",
        ".%2Findex-Ab_1-x.js",
        "%2F..%2Findex.html",
        "%5C..%5Cindex.html",
        "%2Findex-Ab_1-x.js",
        "%2Fetc%2Fpasswd",
        "index-Ab_1-x.js%00",
        "index-Ab_1-x.js%2F",
        "index-Ab_1-x.js/",
        ".hidden",
        ".",
        "",
    ] {
        for accept in ["", "Accept: text/html\r\n"] {
            let reply = ask(&format!("GET /assets/{name}"), accept).await;
            assert_eq!(reply.status, 404, "{name}");
            assert!(reply.json()["detail"].is_object() || reply.json()["detail"] == "Not Found", "{name}");
            assert_eq!(reply.header("cache-control"), Some("no-cache"), "{name}");
        }
    }
    // What was asked for above is there, but for the first.
    for path in ["index.html", "assets/index-Ab_1-x.js", "assets/index-Ab_1-x.js.br", "assets/.hidden"] {
        assert!(app().page.get(path, &HeaderMap::new()).is_some(), "{path}");
    }
}

#[tokio::test]
async fn a_link_that_leads_nowhere_gives_people_the_page_and_programs_an_error() {
    let browser = "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n";
    for path in ["/nothing", "/jobs", "/jobs/1/2", "/apis", "/%ff", "//"] {
        let reply = ask(&format!("GET {path}"), browser).await;
        assert_eq!((reply.status.as_u16(), &*reply.body), (404, include_str!("tests/index.html")), "{path}");
        assert_eq!(reply.header("content-security-policy"), Some(POLICY));
        assert_eq!(ask(&format!("HEAD {path}"), browser).await.header("content-type"), reply.header("content-type"));
        assert_eq!(ask(&format!("GET {path}"), "Accept: */*\r\n").await.json()["detail"], "Not Found", "{path}");
    }
    for request_line in ["GET /api", "GET /api/nothing", "GET /assets", "GET /assets/a/b", "POST /nothing"] {
        let reply = ask(request_line, browser).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["detail"]), (404, &"Not Found".into()), "{request_line}");
    }
    assert_eq!(ask("GET /api/jobs/none", browser).await.status, 422);
    assert_eq!(ask("DELETE /", browser).await.status, 405);
    assert_eq!(ask("GET /nothing", "Host: other.example\r\n").await.status, 400);
}

#[tokio::test]
async fn strangers_do_not_make_the_figures_grow() {
    let mut client = Client::connect(Bench::serve(app()).await).await;
    for path in ["/nothing", "/nothing/else", "/assets/one.js", "/assets/two.js"] {
        client.ask_with(&format!("GET {path}"), "Host: localhost\r\nAccept: text/html\r\n", "").await;
    }
    let figures = client.ask("GET /metrics").await.body;
    let counted = |route: &str| format!("http_requests_total{{method=\"GET\",route=\"{route}\",status=\"404\"}} 2\n");
    for route in ["*", "/assets/{name:text}"] {
        assert!(figures.contains(&counted(route)), "no {route} in {figures}");
    }
    assert!(!figures.contains("nothing") && !figures.contains("one.js"));
}

#[tokio::test]
async fn a_page_that_is_not_built_says_what_to_run() {
    for path in ["/", "/jobs/1", "/login"] {
        let reply = ask_of(app_without_page(), &format!("GET {path}"), "Accept: text/html\r\n").await;
        assert_eq!(reply.status, 503);
        assert!(reply.json()["detail"]["message"].as_str().unwrap().contains("run `make web`"));
    }
    assert_eq!(ask_of(app_without_page(), &format!("GET {SCRIPT}"), "").await.status, 404);
    assert_eq!(ask_of(app_without_page(), "GET /nothing", "Accept: text/html\r\n").await.status, 404);
    assert_eq!(ask_of(app_without_page(), "GET /healthz", "").await.status, 200);
}
