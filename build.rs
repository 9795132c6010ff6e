//! Stops the build of a release if the web page is not built, because a release contains it. The error says what to
//! run.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // `PROFILE` is `release` for each profile that inherits from release. A debug build reads the page at run time.
    if std::env::var_os("PROFILE").is_some_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=web/dist");
        if !Path::new("web/dist/index.html").is_file() {
            println!(
                "cargo::error=a release contains the web page, which is not built (web/dist): run `make web` first"
            );
        }
    }
}
