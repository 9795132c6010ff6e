//! Where connections come from, and what they are: TCP or a unix socket.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use fs2::FileExt as _;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::config::{ClientAddress, Listen};
use crate::spool;
use crate::spool::atomic;

/// Who may connect to a unix socket that is made here: the account, and its group.
const SOCKET_MODE: u32 = 0o660;

/// A peer that says nothing is asked after this time whether it still is there…
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
/// …again and again with this pause…
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// …this often, before it counts as gone.
const KEEPALIVE_COUNT: u32 = 4;

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenFailure {
    /// The socket's directory is not there.
    #[error("cannot listen on {listen}: there is no directory {}; create it (with systemd: RuntimeDirectory=)", directory.display())]
    NoDirectory {
        /// The listener.
        listen: Listen,
        /// What is missing.
        directory: PathBuf,
    },
    /// Another process serves this socket.
    #[error("cannot listen on {0}: another process does; stop it, or choose another `listen` in [api]")]
    InUse(Listen),
    /// Something else has the socket's name.
    #[error("cannot listen on {0}: there is a file of that name which is no socket; remove it if it may go")]
    NoSocket(Listen),
    /// A socket from the service manager that nobody can connect to.
    #[error("{0} was passed by the service manager, but does not listen; pass a stream socket (ListenStream=)")]
    NotListening(Listen),
    /// The system refused something.
    #[error("cannot listen on {listen}: {source}")]
    System {
        /// The listener.
        listen: Listen,
        /// Why.
        source: io::Error,
    },
    /// The system refused to make or to replace the socket's file.
    #[error(transparent)]
    File(#[from] spool::Error),
}

/// A listening socket that the service manager has opened.
#[derive(Debug)]
pub enum PassedSocket {
    /// On an address and a port.
    Tcp(std::net::TcpListener),
    /// In the filesystem, or with an abstract name.
    Unix(std::os::unix::net::UnixListener),
}

/// What accepts connections.
#[derive(Debug)]
pub enum Listener {
    /// On an address and a port.
    Tcp(TcpListener),
    /// A unix socket. Its file goes with it if it was made here.
    Unix(UnixListener, Option<SocketFile>),
}

impl Listener {
    /// Listens where the configuration says.
    ///
    /// # Errors
    /// [`ListenFailure`].
    pub async fn bind(listen: &Listen) -> Result<Self, ListenFailure> {
        let system = |source| ListenFailure::System { listen: listen.clone(), source };
        match listen {
            Listen::Tcp(address) => {
                let listener = TcpListener::bind(address).await.map_err(system)?;
                prepare(&listener).map_err(system)?;
                Ok(Self::Tcp(listener))
            }
            Listen::Unix(path) => bind_unix(listen, path).await,
        }
    }

    /// Listens on a socket that is open already.
    ///
    /// # Errors
    /// [`ListenFailure`].
    pub fn adopt(socket: PassedSocket) -> Result<Self, ListenFailure> {
        let listen = socket.listen();
        let system = |source| ListenFailure::System { listen: listen.clone(), source };
        match socket {
            PassedSocket::Tcp(socket) => {
                if !sockopt::socket_acceptconn(&socket).map_err(|error| system(error.into()))? {
                    return Err(ListenFailure::NotListening(listen));
                }
                socket.set_nonblocking(true).map_err(system)?;
                prepare(&socket).map_err(system)?;
                TcpListener::from_std(socket).map(Self::Tcp).map_err(system)
            }
            PassedSocket::Unix(socket) => {
                if !sockopt::socket_acceptconn(&socket).map_err(|error| system(error.into()))? {
                    return Err(ListenFailure::NotListening(listen));
                }
                socket.set_nonblocking(true).map_err(system)?;
                UnixListener::from_std(socket).map(|socket| Self::Unix(socket, None)).map_err(system)
            }
        }
    }

    /// Where it listens, with the port that the system has chosen.
    #[must_use]
    pub fn listen(&self) -> Listen {
        match self {
            Self::Tcp(listener) => tcp_listen(listener.local_addr()),
            Self::Unix(_, Some(file)) => Listen::Unix(file.path.clone()),
            Self::Unix(listener, None) => Listen::Unix(
                listener
                    .local_addr()
                    .ok()
                    .and_then(|address| Some(address.as_pathname()?.to_owned()))
                    .unwrap_or_default(),
            ),
        }
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// What the system says; the next call may succeed.
    pub async fn accept(&self) -> io::Result<(Stream, ClientAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Stream::Tcp(stream), peer.ip().into()))
            }
            Self::Unix(listener, _) => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), ClientAddress::Unix))
            }
        }
    }
}

impl PassedSocket {
    /// Where it listens.
    #[must_use]
    pub fn listen(&self) -> Listen {
        match self {
            Self::Tcp(socket) => tcp_listen(socket.local_addr()),
            Self::Unix(socket) => Listen::Unix(
                socket
                    .local_addr()
                    .ok()
                    .and_then(|address| Some(address.as_pathname()?.to_owned()))
                    .unwrap_or_default(),
            ),
        }
    }
}

/// An address that cannot be read is taken for the widest there is.
fn tcp_listen(address: io::Result<SocketAddr>) -> Listen {
    Listen::Tcp(address.unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0))))
}

/// What connections inherit from their listener: a line of log must not wait for the next one to fill its packet, and a
/// peer that has vanished is noticed.
fn prepare(listener: impl std::os::fd::AsFd) -> io::Result<()> {
    let listener = listener.as_fd();
    sockopt::set_tcp_nodelay(listener, true)?;
    sockopt::set_socket_keepalive(listener, true)?;
    sockopt::set_tcp_keepidle(listener, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(listener, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(listener, KEEPALIVE_COUNT)?;
    Ok(())
}

async fn bind_unix(listen: &Listen, path: &Path) -> Result<Listener, ListenFailure> {
    let system = |source| ListenFailure::System { listen: listen.clone(), source };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let held = match std::fs::File::open(directory) {
        Ok(directory) => directory,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ListenFailure::NoDirectory { listen: listen.clone(), directory: directory.to_owned() });
        }
        Err(error) => return Err(system(error)),
    };
    // Of two that start at once the second must see the first one's socket. Nobody holds this for longer.
    held.lock_exclusive().map_err(system)?;
    refuse_if_taken(listen, path).await?;
    // Under another name until it has its mode: nobody connects who may not.
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let staged = path.with_file_name(format!(".{name}.new"));
    atomic::remove(&staged)?;
    let listener = UnixListener::bind(&staged).map_err(system)?;
    let file = SocketFile::new(staged).map_err(system)?;
    atomic::set_mode(&file.path, SOCKET_MODE)?;
    atomic::rename(&file.path, path)?;
    Ok(Listener::Unix(listener, Some(file.renamed(path))))
}

/// A socket whose process is gone may be replaced.
async fn refuse_if_taken(listen: &Listen, path: &Path) -> Result<(), ListenFailure> {
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ListenFailure::System { listen: listen.clone(), source }),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(ListenFailure::NoSocket(listen.clone())),
        Ok(_) => {}
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Also one that is too busy to accept.
        _ => Err(ListenFailure::InUse(listen.clone())),
    }
}

/// The file of a unix socket that was made here. It is removed when this is dropped, unless somebody has replaced it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    inode: u64,
}

impl SocketFile {
    fn new(path: PathBuf) -> io::Result<Self> {
        let inode = std::fs::symlink_metadata(&path)?.ino();
        Ok(Self { path, inode })
    }

    fn renamed(mut self, path: &Path) -> Self {
        path.clone_into(&mut self.path);
        self
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if std::fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode)
            && let Err(error) = atomic::remove(&self.path)
        {
            tracing::warn!(%error, "the socket stays behind; the next start replaces it");
        }
    }
}

/// A connection.
#[derive(Debug)]
pub enum Stream {
    /// Over TCP.
    Tcp(TcpStream),
    /// Over a unix socket.
    Unix(UnixStream),
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(())) // sockets have no buffer of their own
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
