//! `mianshen serve` as a black box: the real server on a free port.

mod agree;
mod api;
mod bulk;
mod client;
mod console;
mod guard;
mod hostile;
mod server;
mod settings;
