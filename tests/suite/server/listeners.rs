//! Where the server listens: unix sockets, IPv6, and what a service manager passes.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;

use super::{access_lines, read_to_close, spool_with};
use crate::client::{start_as, start_at};
use crate::support::{DEADLINE, TestSpool, wait_until};

fn ask_unix(path: &Path) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(b"GET /api/whoami HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    read_to_close(&mut stream)
}

#[test]
fn a_unix_socket_has_its_mode_replaces_a_dead_one_and_goes_at_the_end() {
    let spool = spool_with("");
    let path = spool.path().join("api.sock");
    let listen = format!("unix:{}", path.display());
    drop(UnixListener::bind(&path).unwrap()); // left behind by a process that is gone
    let api = start_at(&spool, &listen);
    assert_eq!(api.base, listen);
    let metadata = fs::metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket() && metadata.permissions().mode() & 0o777 == 0o660);
    assert!(ask_unix(&path).starts_with("HTTP/1.1 200 "));
    wait_until("it is logged", || access_lines(&api, "address=unix").len() == 1);

    let second = spool.command("spiderpig-api").args(["--listen", &listen]).output().unwrap();
    let complaint = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && complaint.contains("another process does"), "{complaint}");
    assert!(ask_unix(&path).starts_with("HTTP/1.1 200 "), "the first one is not harmed");
    assert!(api.daemon.terminate().success());
    assert!(!path.exists());

    fs::write(&path, "precious").unwrap();
    let refused = spool.command("spiderpig-api").args(["--listen", &listen]).output().unwrap();
    assert!(String::from_utf8(refused.stderr).unwrap().contains("is no socket"));
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    let nowhere = format!("unix:{}/nowhere/api.sock", spool.path().display());
    let refused = spool.command("spiderpig-api").args(["--listen", &nowhere]).output().unwrap();
    let complaint = String::from_utf8(refused.stderr).unwrap();
    assert!(complaint.contains("there is no directory") && complaint.contains("/nowhere;"), "{complaint}");
}

#[test]
fn it_listens_on_ipv6() {
    let spool = spool_with("");
    let api = start_at(&spool, "[::1]:0");
    assert!(api.base.starts_with("http://[::1]:"), "{}", api.base);
    assert_eq!(api.get("/api/whoami").0, 200);
    wait_until("it is logged", || access_lines(&api, "address=::1").len() == 1);
}

/// A command that passes sockets to the API as systemd does, through a shell that knows its own number.
fn passing(spool: &TestSpool, sockets: &[i32]) -> Command {
    let api = spool.command("spiderpig-api");
    let moves: Vec<String> = sockets.iter().enumerate().map(|(at, fd)| format!("exec {}<&{fd}", at + 3)).collect();
    let (moves, count) = (moves.join("; "), sockets.len());
    let script = format!("{moves}; export LISTEN_FDS={count} LISTEN_PID=$$; exec \"$0\" \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script]).arg(api.get_program()).args(api.get_args());
    command
}

/// A copy of a descriptor that children inherit, with a number out of the way.
fn inheritable(socket: &impl AsFd) -> OwnedFd {
    let copy = rustix::io::fcntl_dupfd_cloexec(socket, 100).unwrap();
    rustix::io::fcntl_setfd(&copy, rustix::io::FdFlags::empty()).unwrap();
    copy
}

#[test]
fn passed_sockets_are_served_and_the_manager_is_told() {
    let spool = spool_with("");
    let (tcp, path) = (TcpListener::bind("127.0.0.1:0").unwrap(), spool.path().join("passed.sock"));
    let unix = UnixListener::bind(&path).unwrap();
    let notify = UnixDatagram::bind(spool.path().join("notify")).unwrap();
    notify.set_read_timeout(Some(DEADLINE)).unwrap();
    let (first, second) = (inheritable(&tcp), inheritable(&unix));
    let mut command = passing(&spool, &[first.as_raw_fd(), second.as_raw_fd()]);
    command.env("NOTIFY_SOCKET", spool.path().join("notify")).env("LISTEN_FDNAMES", "a:b");
    let api = start_as(&spool, &mut command);
    let told = || {
        let mut text = [0; 100];
        let length = notify.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    };
    assert_eq!(told(), "READY=1");
    assert_eq!(api.base, format!("http://{}", tcp.local_addr().unwrap()));
    assert_eq!(api.get("/api/whoami").0, 200);
    assert!(ask_unix(&path).starts_with("HTTP/1.1 200 "));
    assert!(api.daemon.terminate().success());
    assert_eq!(told(), "STOPPING=1");
    assert!(path.exists(), "it is the manager's");
}

#[test]
fn what_must_not_be_served_is_refused_though_it_was_passed() {
    let spool = spool_with("");
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    let (connected, _other) = UnixStream::pair().unwrap();
    let file = fs::File::open("/dev/null").unwrap();
    for (fd, expected) in [
        (inheritable(&open), "open to other machines"),
        (inheritable(&connected), "does not listen"),
        (inheritable(&file), "not a socket"),
    ] {
        let output = passing(&spool, &[fd.as_raw_fd()]).output().unwrap();
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && complaint.contains(expected), "{complaint}");
    }
}
