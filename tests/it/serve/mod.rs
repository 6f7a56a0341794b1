//! `mianshen serve` as a black box: the real server on a free port.

#![expect(clippy::disallowed_methods, reason = "how long a test waits is told by the clock")]

mod agree;
mod api;
mod bulk;
mod cases;
mod client;
mod console;
mod guard;
mod hostile;
mod issuers;
mod places;
mod postgres;
mod server;
mod settings;
mod shape;
mod standing;
mod tls;
mod traces;

pub(crate) use server::{CITY, copy_store, rows};
