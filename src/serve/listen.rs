//! The socket: so many connections, so long for the head of a request, TLS, and an end that lets work under way end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::middleware::from_fn_with_state;

use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Sleep;

use super::app::app;
use super::crowd::{self, Crowd, Place};
use super::open_files;
use super::settings::Limits;
use super::state::Serving;
use super::traces::{self, Traces};
use crate::diagnostic::{Diagnostic, code};

/// The longest head of a request.
const LONGEST_HEAD: u16 = 32 * 1024;

/// Streams of one connection at a time (HTTP/2).
const STREAMS: u32 = 128;

/// How HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Connections that wait to be taken.
const BACKLOG: u32 = 4_096;

/// Files that a server has open beside its connections: stores, registers, what it asks itself.
const FILES_BESIDE: usize = 256;

/// Serves until the process is told to end (SIGTERM, SIGINT). `listening` hears the address once it is bound.
///
/// # Errors
///
/// When the address is taken, or certificate and key cannot be used.
pub async fn serve(serving: Serving, listening: impl FnOnce(SocketAddr) + Send) -> Result<(), Box<Diagnostic>> {
    let settings = serving.settings();
    let listener = bound(settings.listen).map_err(|error| failed(settings.listen, &error))?;
    let address = listener.local_addr().map_err(|error| failed(settings.listen, &error))?;
    let traces = settings.traces.as_ref().map(Traces::start).transpose()?;
    serving.guard().keep_keys_fresh().await;
    let handle = Handle::new();
    let crowd = Crowd::new(room_for(settings.limits.connections));
    let routes = app(&serving).layer(from_fn_with_state(crowd.clone(), crowd::requests));
    let routes = match &traces {
        Some(traces) => routes.layer(from_fn_with_state(traces.clone(), traces::requests)),
        None => routes,
    };
    let service = routes.into_make_service_with_connect_info::<SocketAddr>();
    let head_timeout = settings.limits.head_timeout;
    watch(&serving, &handle).map_err(|error| failed(settings.listen, &error))?;
    let server = Server::<SocketAddr>::from_listener(listener).handle(handle);
    listening(address);
    let ended = match &settings.tls {
        None => {
            let door = Door { inner: NoDelayAcceptor::new(), crowd, head_timeout };
            limited(server.acceptor(door), &settings.limits).serve(service).await
        }
        Some(tls) => {
            let config = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await;
            let config = config.map_err(|error| {
                let (zh, en) = (format!("证书或私钥不能用: {error}"), format!("certificate or key cannot be used: {error}"));
                Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("两者都应为 PEM", "both must be PEM"))
            })?;
            let acceptor = RustlsAcceptor::new(config).handshake_timeout(settings.limits.head_timeout);
            let door = Door { inner: acceptor.acceptor(NoDelayAcceptor::new()), crowd, head_timeout };
            limited(server.acceptor(door), &settings.limits).serve(service).await
        }
    };
    if let Some(traces) = traces {
        traces.end().await;
    }
    ended.map_err(|error| failed(address, &error))
}

/// How many connections there is room for: as many as are set, or fewer where the system lets no more files be open.
fn room_for(connections: usize) -> usize {
    let wanted = connections.saturating_add(FILES_BESIDE);
    let Some(files) = open_files::raise(wanted).filter(|files| *files < wanted) else { return connections };
    let room = files.saturating_sub(FILES_BESIDE).max(files / 2).max(1);
    tracing::warn!(target: "mianshen::serve", connections, files, room, "the system lets fewer files be open than connections are set");
    room
}

/// A socket that listens. Connections that come all at once wait to be taken, instead of being dropped and tried again a second
/// later: the usual 128 are few.
fn bound(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

fn failed(address: SocketAddr, error: &io::Error) -> Box<Diagnostic> {
    let (zh, en) = (format!("不能在 {address} 监听: {error}"), format!("cannot listen on {address}: {error}"));
    Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("换一个地址或端口 (listen)", "choose another address or port (listen)"))
}

/// Time and space for the head of a request; a connection that stands idle for as long is closed.
fn limited<A>(mut server: Server<SocketAddr, A>, limits: &Limits) -> Server<SocketAddr, A> {
    let builder = server.http_builder();
    builder.http1().header_read_timeout(limits.head_timeout).max_buf_size(LONGEST_HEAD.into()).half_close(false);
    builder
        .http2()
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(LONGEST_HEAD.into())
        .keep_alive_interval(limits.head_timeout)
        .keep_alive_timeout(limits.head_timeout);
    // Not `first_request_timeout`: it counts on while a request is at work, and closes without an answer when that was long.
    server
}

/// Hears what the system asks: to end, to read anew; and sweeps now and then.
fn watch(serving: &Serving, handle: &Handle<SocketAddr>) -> io::Result<()> {
    let (mut end, mut interrupt, mut anew) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let (serving, handle) = (serving.clone(), handle.clone());
    tokio::spawn(async move {
        let mut minute = tokio::time::interval(Duration::from_mins(1));
        let mut often = tokio::time::interval(Duration::from_secs(5));
        loop {
            tokio::select! {
                _ = end.recv() => break,
                _ = interrupt.recv() => break,
                _ = anew.recv() => {
                    let serving = serving.clone();
                    tokio::task::spawn_blocking(move || reload(&serving));
                }
                _ = minute.tick() => {
                    serving.guard().sweep();
                }
                _ = often.tick() => {
                    // Without it, what is measured piles up where nobody asks for it; done seldom, it holds up who comes then.
                    serving.metrics().run_upkeep();
                }
            }
        }
        serving.leave();
        tracing::info!(target: "mianshen::serve", "leaving: requests under way are let end");
        handle.graceful_shutdown(Some(serving.settings().drain));
    });
    Ok(())
}

/// Reads policies, settings and keys anew, and tells how that went.
fn reload(serving: &Serving) {
    match serving.reload() {
        Ok(()) => tracing::info!(target: "mianshen::serve", digest = serving.rules().digest, "read anew"),
        Err(told) => {
            let faults = told.len();
            let first = told.first().map_or("", |diagnostic| diagnostic.headline.en.as_str());
            tracing::error!(target: "mianshen::serve", faults, first, "not read anew: everything stays as it was");
        }
    }
}

/// Lets connections in, as far as there is room, and closes any more at once.
#[derive(Clone)]
struct Door<A> {
    inner: A,
    crowd: Crowd,
    head_timeout: Duration,
}

impl<S, A> Accept<TcpStream, S> for Door<A>
where
    A: Accept<TcpStream, S>,
    A::Future: Send + 'static,
    A::Stream: Send + 'static,
    A::Service: Send + 'static,
{
    type Stream = Inside<A::Stream>;
    type Service = A::Service;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let Some(place) = stream.peer_addr().ok().and_then(|address| self.crowd.enter(address)) else {
            return Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())));
        };
        let (accepted, head_timeout) = (self.inner.accept(stream, service), self.head_timeout);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            let opening = Opening { seen: 0, until: Box::pin(tokio::time::sleep(head_timeout)) };
            Ok((Inside { stream, place, opening: Some(opening) }, service))
        })
    }
}

/// A connection with the place that it takes.
struct Inside<S> {
    stream: S,
    place: Place,
    opening: Option<Opening>,
}

/// The first bytes, by which HTTP/1 and HTTP/2 are told apart: nothing else bounds how long they may take.
struct Opening {
    /// So many bytes of the preface of HTTP/2 have come.
    seen: usize,
    until: Pin<Box<Sleep>>,
}

impl Opening {
    /// Takes bytes in; whether it is known now which protocol it is.
    fn is_over(&mut self, bytes: &[u8]) -> bool {
        let rest = &PREFACE[self.seen..];
        let is_preface = bytes.iter().zip(rest).all(|(byte, expected)| byte == expected);
        self.seen += bytes.len().min(rest.len());
        !is_preface || self.seen == PREFACE.len()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Inside<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let inside = self.get_mut();
        if inside.place.is_sent_away(context) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut inside.stream).poll_read(context, buffer);
        if let Some(opening) = &mut inside.opening {
            let is_known = opening.is_over(&buffer.filled()[before..]);
            if is_known {
                inside.opening = None;
            } else if read.is_pending() && opening.until.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Inside<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.place.wrote();
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        self.place.wrote();
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::serve::clock;

    const HEAD: Duration = Duration::from_millis(500);

    /// A server whose one route takes four times as long as a head may, and works where it should not.
    fn server() -> SocketAddr {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let slow = get(|| async {
            std::thread::sleep(HEAD * 4);
            // Only now do others on the same connection, such as what counts time, come to their turn.
            tokio::time::sleep(HEAD / 10).await;
            "done"
        });
        let routes = Router::new().route("/slow", slow).into_make_service_with_connect_info::<SocketAddr>();
        let limits = Limits { head_timeout: HEAD, ..Limits::default() };
        let door = Door { inner: NoDelayAcceptor::new(), crowd: Crowd::new(100), head_timeout: HEAD };
        let server = axum_server::from_tcp(listener).expect("a server").acceptor(door);
        tokio::spawn(limited(server, &limits).serve(routes));
        busy();
        address
    }

    /// Keeps the runtime awake, as other requests do: else nobody counts time while one works.
    fn busy() {
        let runtime = tokio::runtime::Handle::current();
        std::thread::spawn(move || {
            for _ in 0..1_500 {
                std::thread::sleep(HEAD / 50);
                drop(runtime.spawn(async {}));
            }
        });
    }

    /// What the server answers to some bytes until it closes, and how long that takes.
    async fn told(address: SocketAddr, bytes: &[u8]) -> (String, Duration) {
        let started = clock::moment();
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(bytes).await.expect("sent");
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(30), read).await.expect("it closes");
        (String::from_utf8_lossy(&answer).into_owned(), started.elapsed())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_request_that_works_for_longer_than_a_head_may_take_is_answered() {
        let (answer, took) = told(server(), b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("done") && took >= HEAD * 4, "{took:?}: {answer:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_says_nothing_or_half_of_something_is_sent_away() {
        let address = server();
        for bytes in [&b""[..], b"P", b"PRI * HTTP/2.0\r\n", b"GET /slow HT", b"GET /slow HTTP/1.1\r\nHost: a\r\nX: "] {
            let (answer, took) = told(address, bytes).await;
            assert!(!answer.starts_with("HTTP/1.1 2"), "{answer:?}");
            assert!(took < HEAD * 10, "{bytes:?}: {took:?}");
        }
        // After an answer the next head has its time, and no more.
        let (answer, took) = told(address, b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 404") && took < HEAD * 10, "{took:?}: {answer:?}");
    }

    #[tokio::test]
    async fn protocols_are_told_apart_by_their_first_bytes() {
        let opening = || Opening { seen: 0, until: Box::pin(tokio::time::sleep(Duration::from_secs(1))) };
        assert!(opening().is_over(b"G") && opening().is_over(b"PO") && opening().is_over(PREFACE) && opening().is_over(b"PRI * HTTP/1"));
        assert!(!opening().is_over(b"") && !opening().is_over(b"PRI"));
        let mut slow = opening();
        let told: Vec<bool> = PREFACE.iter().map(|byte| slow.is_over(&[*byte])).collect();
        assert!(told[..PREFACE.len() - 1].iter().all(|over| !over) && told[PREFACE.len() - 1]);
    }
}
