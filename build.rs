//! A release contains the web page, so its build ends here if the page is not built, and says what to run.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // It is `release` for every profile that inherits from that. A debug build reads the page while it runs.
    if std::env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=web/dist");
        if !Path::new("web/dist/index.html").is_file() {
            println!(
                "cargo::error=a release contains the web page, which is not built (web/dist): run `make web` first"
            );
        }
    }
}
