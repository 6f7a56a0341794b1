//! Progress of long work on stderr: stage, rows, rate; nothing where stderr is no terminal.

use std::sync::Mutex;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Context;
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Message};

/// One line on stderr that tells the stage, its rows and how fast they go.
pub struct Bar {
    context: Context,
    bar: Mutex<ProgressBar>,
}

impl Bar {
    /// A bar that is not yet drawn.
    #[must_use]
    pub fn new(context: &Context) -> Self {
        Self { context: *context, bar: Mutex::new(ProgressBar::hidden()) }
    }

    /// Takes the line away.
    pub fn clear(&self) {
        if let Ok(bar) = self.bar.lock() {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Bar {
    fn stage(&self, name: Message, total: Option<u64>) {
        let Ok(mut bar) = self.bar.lock() else { return };
        bar.finish_and_clear();
        let template = match total {
            Some(_) => "{msg:24} {bar:30} {human_pos}/{human_len} ({per_sec}) {eta}",
            None => "{spinner} {msg:28} {human_pos} ({per_sec}) {elapsed}",
        };
        // Hidden by itself where stderr is no terminal.
        let new = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            new.set_style(style);
        }
        new.set_message(self.context.say(&name).to_owned());
        new.enable_steady_tick(Duration::from_millis(200));
        *bar = new;
    }

    fn rows(&self, rows: u64) {
        if let Ok(bar) = self.bar.lock() {
            bar.inc(rows);
        }
    }

    fn warn(&self, told: Diagnostic) {
        if let Ok(bar) = self.bar.lock() {
            bar.suspend(|| self.context.tell(&[told]));
        }
    }
}
