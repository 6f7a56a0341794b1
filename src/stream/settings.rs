//! `streams.yaml`: where changes come from, which topic is about which register, where dead letters go. Read with the place of
//! every mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::change::{Encoding, TopicRule};
use crate::diagnostic::{Diagnostic, SourceFile, code, has_errors};
use crate::register::declaration::Registers;
use crate::settings::{Secret, listen_at, option, optional_secret};
use crate::yaml::{self, Fields, Node, wrong_shape};

/// Settings of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Where changes come from.
    pub sources: Vec<SourceSetting>,
    /// How the events of topics are read, by topic.
    pub topics: BTreeMap<String, TopicRule>,
    /// The file of dead letters.
    pub dead_letters: Option<PathBuf>,
    /// Registers that are followed: they speak for the day up to which they were; none: those of which events came.
    pub followed: Option<BTreeSet<String>>,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceSetting {
    /// A file with one event a line.
    File {
        /// Where.
        path: PathBuf,
        /// Whether it still grows.
        follow: bool,
    },
    /// Events that are posted.
    Http {
        /// Where to listen.
        listen: SocketAddr,
        /// The token that senders show.
        token: Option<Secret>,
    },
    /// A consumer group.
    Kafka {
        /// Brokers, `host:port` with commas between them.
        brokers: String,
        /// The group.
        group: String,
        /// Topics.
        topics: Vec<String>,
        /// Settings of librdkafka.
        options: BTreeMap<String, Secret>,
    },
}

const DATES: &[(&str, Encoding)] =
    &[("days", Encoding::Days), ("millis", Encoding::Millis), ("micros", Encoding::Micros), ("nanos", Encoding::Nanos)];

impl Settings {
    /// Reads a settings file. Paths in it are those from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place; `path-missing` or `file-unreadable` where the file cannot be read.
    pub fn load(path: &Path, registers: &Registers) -> Result<Self, Vec<Diagnostic>> {
        Self::read(&crate::settings::open(path, "docs/changes.md")?, registers)
    }

    /// Reads the text of a settings file.
    ///
    /// # Errors
    ///
    /// Every mistake, at its place.
    pub fn read(file: &Arc<SourceFile>, registers: &Registers) -> Result<Self, Vec<Diagnostic>> {
        let (root, mut diagnostics) = yaml::parse(file);
        let mut settings = Self::default();
        let folder = file.path.parent().map(Path::to_owned).unwrap_or_default();
        if let Some(root) = root.filter(|root| !root.is_null()) {
            whole(&root, &folder, registers, &mut settings, &mut diagnostics);
        }
        if has_errors(&diagnostics) { Err(diagnostics) } else { Ok(settings) }
    }
}

fn whole(root: &Node, folder: &Path, registers: &Registers, settings: &mut Settings, diagnostics: &mut Vec<Diagnostic>) {
    let Some(mut fields) = Fields::new(root, diagnostics) else { return };
    settings.sources = fields.list("sources").iter().filter_map(|node| source(node, folder, fields.diagnostics())).collect();
    for node in fields.list("topics") {
        let Some((name, rule)) = topic(node, registers, fields.diagnostics()) else { continue };
        if settings.topics.insert(name, rule).is_some() {
            fields
                .report(Diagnostic::new(&code::SETTINGS_INVALID, "这个主题写了两次", "this topic is written twice").at(first_place(node)));
        }
    }
    if fields.optional("followed").is_some() {
        let names = fields.list("followed").iter().filter_map(|node| known_register(node, registers, fields.diagnostics()));
        settings.followed = Some(names.collect());
    }
    settings.dead_letters = fields.text("dead_letters").map(|path| folder.join(path));
    fields.finish();
}

/// The first key of a mapping stands for it.
fn first_place(node: &Node) -> crate::diagnostic::Span {
    node.mapping().and_then(<[_]>::first).map_or_else(|| node.span(), |(key, _)| key.span())
}

fn topic(node: &Node, registers: &Registers, diagnostics: &mut Vec<Diagnostic>) -> Option<(String, TopicRule)> {
    let mut fields = Fields::new(node, diagnostics)?;
    let name = fields.required_text("topic");
    let register = fields.optional("register").and_then(|node| known_register(node, registers, fields.diagnostics()));
    let dates = fields.choice("dates", DATES).unwrap_or_default();
    let places = fields.integer("decimal_places");
    let decimals = match places {
        None => Encoding::Plain,
        Some(places) => match u32::try_from(places).ok().filter(|places| *places <= 18) {
            Some(places) => Encoding::Decimal(places),
            None => {
                if let Some(node) = fields.optional("decimal_places") {
                    fields.report(wrong_shape(node, "0 到 18 的整数", "a whole number from 0 to 18"));
                }
                Encoding::Plain
            }
        },
    };
    fields.finish();
    Some((name?, TopicRule { register, dates, decimals }))
}

fn known_register(node: &Node, registers: &Registers, diagnostics: &mut Vec<Diagnostic>) -> Option<String> {
    let name = node.text()?;
    if registers.registers.contains_key(name) {
        return Some(name.to_owned());
    }
    diagnostics.push(
        Diagnostic::new(&code::UNKNOWN_REGISTER, format!("没有登记库“{name}”"), format!("unknown register `{name}`"))
            .at(node.span())
            .did_you_mean(name, registers.registers.keys().map(String::as_str)),
    );
    None
}

fn source(node: &Node, folder: &Path, diagnostics: &mut Vec<Diagnostic>) -> Option<SourceSetting> {
    let mut fields = Fields::new(node, diagnostics)?;
    let (file, http, kafka) = (fields.text("file"), fields.optional("http"), fields.text("kafka"));
    let found = match (file, http, kafka) {
        (Some(path), None, None) => {
            Some(SourceSetting::File { path: folder.join(path), follow: fields.boolean("follow").unwrap_or(false) })
        }
        (None, Some(node), None) => http_source(node, folder, &mut fields),
        (None, None, Some(brokers)) => kafka_source(brokers, folder, &mut fields),
        _ => {
            let place = fields.span();
            fields.report(
                Diagnostic::new(&code::SETTINGS_INVALID, "每个来源写 file、http、kafka 之一", "a source has one of file, http, kafka")
                    .at(place),
            );
            return None;
        }
    };
    fields.finish();
    found
}

fn http_source(node: &Node, folder: &Path, fields: &mut Fields<'_>) -> Option<SourceSetting> {
    let token = optional_secret(fields, folder, ["token_file", "token_env"], 1);
    let listen = listen_at(fields, node)?;
    if token.is_none() && !listen.ip().is_loopback() {
        fields.report(
            Diagnostic::new(
                &code::SETTINGS_INVALID,
                format!("没有令牌, 只能在本机接收事件, 不能在 {listen}"),
                format!("without a token, events are taken from this machine only, not on {listen}"),
            )
            .at(node.span())
            .help("加上 token_file 或 token_env", "add token_file or token_env"),
        );
    }
    Some(SourceSetting::Http { listen, token })
}

fn kafka_source(brokers: String, folder: &Path, fields: &mut Fields<'_>) -> Option<SourceSetting> {
    let group = fields.text("group").unwrap_or_else(|| "mianshen".to_owned());
    fields.required("topics")?;
    let topics: BTreeSet<String> = fields.texts("topics").into_iter().map(|(topic, _)| topic).collect();
    let mut options = BTreeMap::new();
    for node in fields.list("options") {
        options.extend(option(node, folder, fields.diagnostics()));
    }
    Some(SourceSetting::Kafka { brokers, group, topics: topics.into_iter().collect(), options })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, text: &str) -> Result<Settings, Vec<Diagnostic>> {
        let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
        let (registers, _) = crate::register::load(&policies);
        Settings::read(&SourceFile::new(folder.join("streams.yaml"), text), &registers)
    }

    #[test]
    fn all_that_can_be_set() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("token"), "s3cret\n").expect("written");
        let text = "\
sources:
  - {file: changes.ndjson, follow: yes}
  - {http: \"0.0.0.0:8091\", token_file: token}
  - kafka: broker:9092
    group: city
    topics: [city.public.death, bank]
    options: [{name: security.protocol, value: SASL_SSL}, {name: sasl.password, value_file: token}]
topics:
  - {topic: bank, register: bank_accounts, dates: millis, decimal_places: 2}
dead_letters: dead.ndjson
followed: [death, bank_accounts]
";
        let settings = read(folder.path(), text).expect("sound");
        let options = [("security.protocol", "SASL_SSL"), ("sasl.password", "s3cret")];
        let expect = [
            SourceSetting::File { path: folder.path().join("changes.ndjson"), follow: true },
            SourceSetting::Http { listen: "0.0.0.0:8091".parse().expect("an address"), token: Some(Secret::new("s3cret")) },
            SourceSetting::Kafka {
                brokers: "broker:9092".into(),
                group: "city".into(),
                topics: vec!["bank".into(), "city.public.death".into()],
                options: options.map(|(name, value)| (name.to_owned(), Secret::new(value))).into(),
            },
        ];
        assert_eq!(settings.sources, expect);
        let rule = TopicRule { register: Some("bank_accounts".into()), dates: Encoding::Millis, decimals: Encoding::Decimal(2) };
        assert_eq!(settings.topics, BTreeMap::from([("bank".to_owned(), rule)]));
        assert_eq!(settings.dead_letters, Some(folder.path().join("dead.ndjson")));
        assert_eq!(settings.followed, Some(BTreeSet::from(["bank_accounts".to_owned(), "death".to_owned()])));
        assert_eq!(read(folder.path(), "followed: []").expect("nobody").followed, Some(BTreeSet::new()));
        assert!(!format!("{settings:?}").contains("s3cret"));
        assert_eq!(read(folder.path(), "").expect("nothing set"), Settings::default());
    }

    #[test]
    fn mistakes_are_told_at_their_place() {
        let folder = tempfile::tempdir().expect("a folder");
        for (text, place) in [
            ("sources: [{http: \"0.0.0.0:8091\"}]", "\"0.0.0.0:8091\""),
            ("sources: [{http: here}]", "here"),
            ("sources: [{file: a, http: \"127.0.0.1:1\"}]", "file"),
            ("sources: [{file: a, folow: yes}]", "folow"),
            ("sources: [{kafka: a}]", "kafka"),
            ("sources: [{kafka: a, topics: [b], options: [{name: sasl.password, value: x}]}]", "x"),
            ("sources: [{kafka: a, topics: [b], options: [{name: sasl.password, value_file: none}]}]", "none"),
            ("topics: [{topic: a, register: deth}]", "deth"),
            ("followed: [deth]", "deth"),
            ("topics: [{topic: a}, {topic: a}]", "topic"),
            ("topics: [{topic: a, dates: weeks}]", "weeks"),
            ("topics: [{topic: a, decimal_places: 99}]", "99"),
        ] {
            let told = read(folder.path(), text).expect_err(text);
            let places: Vec<&str> = told.iter().filter_map(|one| one.primary.as_ref().map(crate::diagnostic::Span::text)).collect();
            assert!(places.contains(&place), "{text}: {places:?}");
        }
    }
}
