//! What all verbs share: language, colour, log, output that may break off, and how a run ends.

use std::io::{self, IsTerminal, Write};

use chrono::NaiveDate;
use clap::{Args, ValueEnum};

use crate::diagnostic::{self, Diagnostic, Fault, Format, Lang, Message, Severity, code};
use crate::yaml;

/// What holds for every verb.
#[derive(Debug, Clone, Default, Args)]
pub struct GlobalArgs {
    /// 语言; 缺省按 LC_ALL 与 LANG / Language; by default from LC_ALL or LANG
    #[arg(long, global = true, value_enum)]
    pub lang: Option<LangArg>,
    /// 颜色; NO_COLOR 也能关掉 / Colour; NO_COLOR turns it off too
    #[arg(long, global = true, value_enum, default_value_t = ColorArg::Auto)]
    pub color: ColorArg,
    /// 日志级别, 写到 stderr, 如 info 或 mianshen=debug / Log filter, to stderr, such as info or mianshen=debug
    #[arg(long, global = true, value_name = "FILTER")]
    pub log: Option<String>,
}

/// A language of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LangArg {
    /// 中文
    Zh,
    /// English
    En,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorArg {
    /// 输出到终端时 / when the output is a terminal
    #[default]
    Auto,
    /// 总是 / always
    Always,
    /// 从不 / never
    Never,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// 0: nothing to tell.
    Clean,
    /// 1: done, and somebody should look.
    Findings,
    /// 2: could not be done.
    Failed,
}

impl Exit {
    /// What diagnostics make of a run: failed where the machine or the program is at fault, findings where policies or
    /// registers are (with `strict`, by warnings too).
    #[must_use]
    pub fn of(diagnostics: &[Diagnostic], strict: bool) -> Self {
        let exit = |diagnostic: &Diagnostic| match (diagnostic.severity, diagnostic.code.fault) {
            (Severity::Error, Fault::Deployment | Fault::Ours) => Self::Failed,
            (Severity::Error, _) => Self::Findings,
            (Severity::Warning, _) if strict => Self::Findings,
            _ => Self::Clean,
        };
        diagnostics.iter().map(exit).max().unwrap_or(Self::Clean)
    }
}

/// What a verb needs to know of its surroundings.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Language of messages.
    pub lang: Lang,
    /// Whether stdout is coloured.
    pub color: bool,
    /// Whether stderr is coloured.
    pub color_stderr: bool,
}

impl Context {
    /// The surroundings that arguments and environment give; starts the log.
    ///
    /// # Errors
    ///
    /// When the log filter cannot be read; it was told on stderr.
    pub fn new(arguments: &GlobalArgs) -> Result<Self, Exit> {
        let lang = arguments.lang.map_or_else(lang_of_environment, |lang| match lang {
            LangArg::Zh => Lang::Zh,
            LangArg::En => Lang::En,
        });
        let color = |is_terminal: bool| match arguments.color {
            ColorArg::Always => true,
            ColorArg::Never => false,
            ColorArg::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let context = Self { lang, color: color(io::stdout().is_terminal()), color_stderr: color(io::stderr().is_terminal()) };
        match &arguments.log {
            Some(filter) => context.start_log(filter).map(|()| context),
            None => Ok(context),
        }
    }

    fn start_log(&self, filter: &str) -> Result<(), Exit> {
        let Ok(filter) = tracing_subscriber::EnvFilter::builder().parse(filter) else {
            let diagnostic = Diagnostic::new(&code::BAD_ARGUMENT, format!("读不懂 --log {filter}"), format!("cannot read --log {filter}"))
                .help("如 --log info 或 --log mianshen=debug", "such as --log info or --log mianshen=debug");
            return Err(self.fail(&[diagnostic]));
        };
        // Without times: no output depends on the clock.
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(self.color_stderr).without_time();
        // A log that was started before (by a test) stays.
        let _ = log.try_init();
        Ok(())
    }

    /// The text of a message in the language of the run.
    #[must_use]
    pub fn say<'m>(&self, message: &'m Message) -> &'m str {
        message.get(self.lang)
    }

    /// One of two texts.
    #[must_use]
    pub fn pick<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        if self.lang == Lang::Zh { zh } else { en }
    }

    /// Writes data to stdout, and ends as `exit` unless that fails. A reader that went away is no failure.
    #[must_use]
    pub fn print(&self, text: &str, exit: Exit) -> Exit {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Ok(()) => exit,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => exit,
            Err(error) => self.fail(&[Diagnostic::new(
                &code::OUTPUT_FAILED,
                format!("写不出结果: {error}"),
                format!("cannot write the result: {error}"),
            )]),
        }
    }

    /// Shows diagnostics on stderr, in full.
    pub fn tell(&self, diagnostics: &[Diagnostic]) {
        if !diagnostics.is_empty() {
            let text = diagnostic::render(diagnostics, Format::Full, self.lang, self.color_stderr);
            // Where stderr is gone too, there is nobody to tell.
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }

    /// Shows diagnostics on stderr and ends as failed.
    #[must_use]
    pub fn fail(&self, diagnostics: &[Diagnostic]) -> Exit {
        self.tell(diagnostics);
        Exit::Failed
    }
}

/// Chinese where `LC_ALL`, else `LC_MESSAGES`, else `LANG` starts with `zh`.
fn lang_of_environment() -> Lang {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default();
    if locale.to_ascii_lowercase().starts_with("zh") { Lang::Zh } else { Lang::En }
}

/// A date among the arguments.
///
/// # Errors
///
/// When it is none.
pub fn date_argument(text: &str) -> Result<NaiveDate, String> {
    yaml::parse_date(text).ok_or_else(|| "应为日期, 如 2026-06-30 / expected a date such as 2026-06-30".to_owned())
}
