//! `push.yaml` read with the place of every mistake.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveTime;
use url::Url;

use super::channel::signature::Algorithm;
use super::link::Links;
use super::quiet::Quiet;
use super::settings::{BEIJING, Channel, Kafka, Pace, Settings, Way, Webhook, duration};
use crate::diagnostic::{Diagnostic, SourceFile, code, has_errors};
use crate::register::declaration::SubjectKind;
use crate::settings::{address_at, authority, invalid, option, required_secret};
use crate::yaml::{self, Fields, Node, wrong_shape};

/// The fewest bytes of a secret.
const LEAST_SECRET: usize = 16;

const DAY: Duration = Duration::from_hours(24);

impl Settings {
    /// Reads a settings file, and the secrets that it names. Paths in it are those from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place; `path-missing` or `file-unreadable` where the file cannot be read.
    pub fn load(path: &Path) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&crate::settings::open(path, "docs/push.md")?)
    }

    /// Reads the text of a settings file.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place.
    pub fn read(file: &Arc<SourceFile>) -> Result<Self, Vec<Diagnostic>> {
        let (root, mut told) = yaml::parse(file);
        let folder = file.path.parent().map(Path::to_owned).unwrap_or_default();
        let mut settings =
            Self { channels: Vec::new(), links: None, quiet: None, remind_days: None, settle: Duration::ZERO, pace: Pace::default() };
        match root {
            Some(root) => whole(&root, &folder, &mut settings, &mut told),
            None if told.is_empty() => told.push(Diagnostic::new(&code::SETTINGS_INVALID, "设置是空的", "the settings are empty")),
            None => {}
        }
        if has_errors(&told) { Err(told) } else { Ok(settings) }
    }
}

fn whole(root: &Node, folder: &Path, settings: &mut Settings, told: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(root, told) else { return };
    settings.links = fields.optional("links").and_then(|node| links(node, folder, fields.diagnostics()));
    settings.quiet = fields.optional("quiet_hours").and_then(|node| quiet(node, fields.diagnostics()));
    settings.remind_days = fields.number("remind_days");
    if let Some(node) = fields.optional("settle") {
        match node.text().and_then(duration) {
            Some(settle) => settings.settle = settle,
            None => fields.report(wrong_shape(node, "时长, 如 90s、10m、2h", "a duration such as 90s, 10m or 2h")),
        }
    }
    if let Some(node) = fields.optional("pace") {
        pace(node, &mut settings.pace, fields.diagnostics());
    }
    fields.required("channels");
    for node in fields.list("channels") {
        let Some(channel) = channel(node, folder, fields.diagnostics()) else { continue };
        if settings.channels.iter().any(|other| other.name == channel.name) {
            let name = &channel.name;
            let (zh, en) = (format!("渠道“{name}”写了两次"), format!("channel `{name}` is given twice"));
            fields.report(Diagnostic::new(&code::DUPLICATE_NAME, zh, en).at(node.span()));
        }
        settings.channels.push(channel);
    }
    fields.finish();
}

/// An address that messages, or people, are sent to: there is personal data in it or behind it.
fn address(fields: &mut Fields<'_>, key: &'static str) -> Option<Url> {
    let node = fields.required(key)?;
    address_at(fields, node, node.text().unwrap_or_default())
}

fn links(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<Links> {
    let mut fields = Fields::new(node, told)?;
    let base = address(&mut fields, "base_url");
    let key = required_secret(&mut fields, folder, ["key_file", "key_env"], LEAST_SECRET);
    let days = fields.number("days").unwrap_or(60);
    fields.finish();
    Some(Links { base: base?, key: key?, days })
}

fn quiet(node: &Node, told: &mut Vec<Diagnostic>) -> Option<Quiet> {
    let mut fields = Fields::new(node, told)?;
    let (from, to) = (time(&mut fields, "from"), time(&mut fields, "to"));
    let offset = match fields.optional("offset") {
        None => Some(BEIJING),
        Some(node) => {
            let offset = node.text().and_then(|text| text.parse::<chrono::FixedOffset>().ok());
            if offset.is_none() {
                fields.report(wrong_shape(node, "与 UTC 的时差, 如 +08:00", "an offset from UTC such as +08:00"));
            }
            offset.map(|offset| offset.local_minus_utc())
        }
    };
    fields.finish();
    Some(Quiet { from: from?, to: to?, offset: offset? })
}

fn time(fields: &mut Fields<'_>, key: &'static str) -> Option<NaiveTime> {
    let node = fields.required(key)?;
    let time = node.text().and_then(|text| NaiveTime::parse_from_str(text, "%H:%M").ok());
    if time.is_none() {
        fields.report(wrong_shape(node, "时间, 如 \"21:00\"", "a time such as \"21:00\""));
    }
    time
}

fn pace(node: &Node, pace: &mut Pace, told: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(node, told) else { return };
    pace.at_once = fields.number("at_once").unwrap_or(pace.at_once);
    pace.tries = fields.number("tries").unwrap_or(pace.tries);
    pace.keep = fields.number("keep_days").map_or(pace.keep, |days: u32| DAY * days);
    pace.first_wait = fields.seconds("first_wait_seconds").unwrap_or(pace.first_wait);
    pace.most_wait = fields.seconds("most_wait_seconds").unwrap_or(pace.most_wait);
    pace.failures = fields.number("failures").unwrap_or(pace.failures);
    pace.rest = fields.seconds("rest_seconds").unwrap_or(pace.rest);
    if let Some(node) = fields.optional("most_wait_seconds").filter(|_| pace.most_wait < pace.first_wait) {
        fields.report(invalid(node, "最长等待短于首次等待", "the longest wait is shorter than the first"));
    }
    fields.finish();
}

fn channel(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<Channel> {
    let mut fields = Fields::new(node, told)?;
    let name = fields.required_text("name");
    let subjects = fields.choices("subjects", &SubjectKind::WORDS);
    let policies = fields.texts("policies").into_iter().map(|(text, _)| text).collect();
    let ways = [fields.optional("webhook"), fields.optional("file"), fields.optional("kafka")];
    let way = match ways {
        [Some(node), None, None] => webhook(node, folder, fields.diagnostics()).map(Way::Webhook),
        [None, Some(node), None] => file(node, folder, fields.diagnostics()).map(Way::File),
        [None, None, Some(node)] => kafka(node, folder, fields.diagnostics()).map(Way::Kafka),
        _ => {
            let place = fields.span();
            fields.report(
                Diagnostic::new(&code::SETTINGS_INVALID, "渠道须有一种方式", "a channel has one way")
                    .at(place)
                    .help("webhook、file 或 kafka", "webhook, file or kafka"),
            );
            None
        }
    };
    fields.finish();
    Some(Channel { name: name?, subjects, policies, way: way? })
}

fn webhook(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<Webhook> {
    let mut fields = Fields::new(node, told)?;
    let url = address(&mut fields, "url");
    let secret = required_secret(&mut fields, folder, ["secret_file", "secret_env"], LEAST_SECRET);
    let algorithm = fields.choice("algorithm", Algorithm::WORDS).unwrap_or(Algorithm::Sm3);
    let key_id = fields.text("key_id").unwrap_or_default();
    if let Some(node) = fields.optional("key_id").filter(|_| !key_id.bytes().all(|byte| byte.is_ascii_graphic())) {
        fields.report(wrong_shape(node, "可打印的 ASCII 字符", "printable ASCII"));
    }
    let ca = authority(&mut fields, "ca_file", folder);
    let timeout = fields.seconds("timeout_seconds").unwrap_or(Duration::from_secs(10));
    fields.finish();
    Some(Webhook { url: url?, secret: secret?, algorithm, key_id, ca: ca.ok()?, timeout })
}

fn file(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    let mut fields = Fields::new(node, told)?;
    let path = fields.required_text("folder").map(|path| folder.join(path));
    fields.finish();
    path
}

fn kafka(node: &Node, folder: &Path, told: &mut Vec<Diagnostic>) -> Option<Kafka> {
    if !cfg!(feature = "kafka") {
        told.push(
            invalid(node, "这个程序编译时没有带 Kafka", "this program was built without Kafka")
                .help("用 cargo build --features kafka 编译", "build it with cargo build --features kafka"),
        );
        return None;
    }
    let mut fields = Fields::new(node, told)?;
    let (brokers, topic) = (fields.required_text("brokers"), fields.required_text("topic"));
    let timeout = fields.seconds("timeout_seconds").unwrap_or(Duration::from_secs(30));
    let mut options = Vec::new();
    for node in fields.list("options") {
        options.extend(option(node, folder, fields.diagnostics()));
    }
    fields.finish();
    Some(Kafka { brokers: brokers?, topic: topic?, timeout, options })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a folder with a secret.
    fn read(text: &str) -> Result<Settings, Vec<Diagnostic>> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("secret"), "0123456789abcdef0123\n").expect("written");
        std::fs::write(folder.path().join("short"), "0123\n").expect("written");
        Settings::read(&SourceFile::new(folder.path().join("push.yaml"), text))
    }

    #[track_caller]
    fn faults(text: &str, expected: &[(&str, &str)]) {
        let told = read(text).expect_err("the settings are faulty");
        let told: Vec<(&str, &str)> =
            told.iter().map(|one| (one.code.name, one.primary.as_ref().map_or("", |place| place.text()))).collect();
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_said_is_taken() {
        let settings = read(
            "settle: 10m\nlinks: {base_url: 'https://fw.example/m', key_file: secret, days: 30}\nquiet_hours: {from: '21:00', to: '08:00'}\npace: {at_once: 8, tries: 3, keep_days: 2, first_wait_seconds: 1}\nchannels:\n  - {name: platform, subjects: [person, household], webhook: {url: 'https://fw.example/in', secret_file: secret, algorithm: hmac-sha256, key_id: k1}}\n  - {name: drop, policies: ['990100-MZ'], file: {folder: out}}\n",
        )
        .expect("no mistake");
        assert_eq!(settings.settle, Duration::from_mins(10));
        let links = settings.links.expect("links");
        assert_eq!((links.days, links.key.bytes()), (30, b"0123456789abcdef0123".as_slice()));
        assert_eq!(settings.quiet.map(|quiet| quiet.offset), Some(28_800));
        assert_eq!((settings.pace.at_once, settings.pace.tries, settings.pace.keep), (8, 3, DAY * 2));
        let [platform, drop] = &settings.channels[..] else { panic!("two channels") };
        assert!(matches!(&platform.way, Way::Webhook(webhook) if webhook.algorithm == Algorithm::Sha256 && webhook.key_id == "k1"));
        assert!(platform.takes(SubjectKind::Person, "A") && !platform.takes(SubjectKind::Entity, "A"));
        assert!(drop.takes(SubjectKind::Entity, "990100-MZ-0007") && !drop.takes(SubjectKind::Entity, "990100-RS-0001"));
        assert!(!format!("{settings:?}", settings = settings.channels).contains("0123456789"));
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        faults("chanels: []\n", &[("missing-key", "chanels"), ("unknown-key", "chanels")]);
        faults("channels: [{name: a}]\n", &[("settings-invalid", "name")]);
        faults(
            "channels: [{name: a, file: {folder: x}}, {name: a, file: {folder: y}}]\n",
            &[("duplicate-name", "{name: a, file: {folder: y}}")],
        );
        faults("channels: [{name: a, subjects: [persn], file: {folder: x}}]\n", &[("wrong-shape", "persn")]);
        faults("quiet_hours: {from: 9pm, to: '08:00'}\nchannels: []\n", &[("wrong-shape", "9pm")]);
        faults("quiet_hours: {from: '21:00', to: '08:00', offset: Beijing}\nchannels: []\n", &[("wrong-shape", "Beijing")]);
        faults("pace: {tries: 0}\nchannels: []\n", &[("wrong-shape", "0")]);
        faults("settle: soon\nchannels: []\n", &[("wrong-shape", "soon")]);
        faults("pace: {first_wait_seconds: 9, most_wait_seconds: 3}\nchannels: []\n", &[("settings-invalid", "3")]);
    }

    #[test]
    fn secrets_and_plain_http_do_not_belong_there() {
        let webhook = |webhook: &str| format!("channels: [{{name: a, webhook: {{{webhook}}}}}]\n");
        faults(&webhook("url: 'http://fw.example', secret_file: secret"), &[("settings-invalid", "'http://fw.example'")]);
        faults(&webhook("url: 'https://a:b@fw.example', secret_file: secret"), &[("settings-invalid", "'https://a:b@fw.example'")]);
        faults(&webhook("url: ftp://x, secret_file: secret"), &[("wrong-shape", "ftp://x")]);
        faults(&webhook("url: 'http://127.0.0.1:9', secret_file: short"), &[("settings-invalid", "short")]);
        faults(&webhook("url: 'http://127.0.0.1:9', secret_file: none"), &[("settings-invalid", "none")]);
        faults(&webhook("url: 'http://127.0.0.1:9', secret: abc"), &[("missing-key", "url"), ("unknown-key", "secret")]);
        faults(&webhook("url: 'http://127.0.0.1:9', secret_file: secret, algorithm: md5"), &[("wrong-shape", "md5")]);
        faults(&webhook("url: 'http://127.0.0.1:9', secret_file: secret, ca_file: secret"), &[("settings-invalid", "secret")]);
    }
}
