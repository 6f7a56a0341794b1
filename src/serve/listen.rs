//! The socket: so many connections, so long for the head of a request, TLS, and an end that lets work under way end.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::{Accept, NoDelayAcceptor};
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Handle, Server};
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::app::app;
use super::settings::Limits;
use super::state::Serving;
use crate::diagnostic::{Diagnostic, code};

/// The longest head of a request.
const LONGEST_HEAD: u16 = 32 * 1024;

/// Streams of one connection at a time (HTTP/2).
const STREAMS: u32 = 128;

/// Serves until the process is told to end (SIGTERM, SIGINT). `listening` hears the address once it is bound.
///
/// # Errors
///
/// When the address is taken, or certificate and key cannot be used.
pub async fn serve(serving: Serving, listening: impl FnOnce(SocketAddr) + Send) -> Result<(), Box<Diagnostic>> {
    let settings = serving.settings();
    let listener = std::net::TcpListener::bind(settings.listen).map_err(|error| failed(settings.listen, &error))?;
    let address = listener.local_addr().map_err(|error| failed(settings.listen, &error))?;
    let handle = Handle::new();
    let service = app(&serving).into_make_service_with_connect_info::<SocketAddr>();
    let room = Arc::new(Semaphore::new(settings.limits.connections));
    watch(&serving, &handle).map_err(|error| failed(settings.listen, &error))?;
    let server = axum_server::from_tcp(listener).map_err(|error| failed(settings.listen, &error))?.handle(handle);
    listening(address);
    let ended = match &settings.tls {
        None => {
            let door = Door { inner: NoDelayAcceptor::new(), room };
            limited(server.acceptor(door), &settings.limits).serve(service).await
        }
        Some(tls) => {
            let config = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await;
            let config = config.map_err(|error| {
                let (zh, en) = (format!("证书或私钥不能用: {error}"), format!("certificate or key cannot be used: {error}"));
                Box::new(Diagnostic::new(&code::SETTINGS_INVALID, zh, en).help("两者都应为 PEM", "both must be PEM"))
            })?;
            let acceptor = RustlsAcceptor::new(config).handshake_timeout(settings.limits.head_timeout);
            let door = Door { inner: acceptor.acceptor(NoDelayAcceptor::new()), room };
            limited(server.acceptor(door), &settings.limits).serve(service).await
        }
    };
    ended.map_err(|error| failed(address, &error))
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
    server.first_request_timeout(limits.head_timeout)
}

/// Hears what the system asks: to end, to read anew; and sweeps now and then.
fn watch(serving: &Serving, handle: &Handle<SocketAddr>) -> io::Result<()> {
    let (mut end, mut interrupt, mut anew) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?, signal(SignalKind::hangup())?);
    let (serving, handle) = (serving.clone(), handle.clone());
    tokio::spawn(async move {
        let mut minute = tokio::time::interval(std::time::Duration::from_mins(1));
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
                    // Without it, what is measured piles up where nobody asks for it.
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

/// Lets so many connections in, and closes any more at once.
#[derive(Clone)]
struct Door<A> {
    inner: A,
    room: Arc<Semaphore>,
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
        let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
            return Box::pin(std::future::ready(Err(io::ErrorKind::ConnectionRefused.into())));
        };
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepted.await?;
            Ok((Inside { stream, _place: place }, service))
        })
    }
}

/// A connection with the place that it takes.
struct Inside<S> {
    stream: S,
    _place: OwnedSemaphorePermit,
}

impl<S: AsyncRead + Unpin> AsyncRead for Inside<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Inside<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
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
