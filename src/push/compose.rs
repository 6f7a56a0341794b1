//! From cases to the messages about them: words, reasons, links, one message for a bundle, none for who wants none.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate};

use super::link::Page;
use super::message::{self, Bundle, Item, Kind, Message, Policy, Reason, Subject, Text};
use super::settings::Settings;
use super::template::Hole;
use super::templates::Templates;
use super::words;
use crate::diagnostic;
use crate::eligibility::grant::amount_text;
use crate::policy::document::{self, Mode, PolicyDocument, PolicySet};
use crate::register::declaration::SubjectKind;
use crate::register::identifier::mask;
use crate::store::live::{DeliveryStep, MessageRow, MessageState, NewMessage};

/// A case that there is something to tell of.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The case.
    pub case: &'a str,
    /// Code of the policy.
    pub policy: &'a str,
    /// Version of the policy; none: the newest.
    pub version: Option<i64>,
    /// Kind of the subject.
    pub kind: SubjectKind,
    /// The subject.
    pub subject: &'a str,
    /// The period of the grant; empty where it has none.
    pub period: &'a str,
    /// What for, where the policy has occasions.
    pub occasion: Option<&'a str>,
    /// The member of the household whom it is for.
    pub member: Option<&'a str>,
    /// Who receives it; none where nobody is known.
    pub payee: Option<&'a str>,
    /// In hundredths of the policy's unit; none for services and where it is not known yet.
    pub amount: Option<i64>,
    /// Identifiers of the criteria that carry the yes.
    pub reasons: Vec<&'a str>,
    /// How it reaches the subject.
    pub mode: Mode,
    /// Whether the subject may be told of it: it did not opt out.
    pub notify: bool,
    /// The day by which an answer is asked for, or up to which a list is public.
    pub until: Option<NaiveDate>,
    /// What an official says to the subject.
    pub note: Option<&'a diagnostic::Message>,
}

/// Why a case is not told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The subject opted out of messages.
    OptedOut,
    /// No channel is set for such subjects or policies.
    NoChannel,
    /// The policy is not among those of the folder: there are no words for it.
    UnknownPolicy,
}

impl Silence {
    /// The words for people.
    #[must_use]
    pub fn label(self) -> diagnostic::Message {
        match self {
            Self::OptedOut => diagnostic::Message::new("对象拒绝推送, 没有发送通知", "the subject opted out of messages: nothing was sent"),
            Self::NoChannel => diagnostic::Message::new("没有为此设置通知渠道", "no channel is set for it"),
            Self::UnknownPolicy => diagnostic::Message::new("政策文件夹里没有这项政策", "the policies folder does not have the policy"),
        }
    }
}

/// What is to be asked for, and of whom nothing is told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Composed {
    /// The messages, by subject, then bundle.
    pub messages: Vec<NewMessage>,
    /// Cases that are not told of, and why: to be kept on the case.
    pub silent: Vec<(String, Silence)>,
}

/// Composes messages.
#[derive(Debug, Clone, Copy)]
pub struct Composer<'a> {
    /// The policies and bundles.
    pub policies: &'a PolicySet,
    /// The words.
    pub templates: &'a Templates,
    /// Channels, links, quiet hours.
    pub settings: &'a Settings,
}

/// A case with its policy, ready to be told.
struct Ready<'a> {
    about: &'a About<'a>,
    policy: &'a PolicyDocument,
}

/// What one message is about: the channel, the subject, and a bundle, or the case that stands alone.
type Together<'a> = (&'a str, SubjectKind, &'a str, Result<&'a str, &'a str>);

impl Composer<'_> {
    /// The messages about cases, for the `number`th time that this is told of them, counted from 1. Cases of one subject whose
    /// policies belong to one bundle go as one message. `at`: when it is asked for, in microseconds since 1970 (UTC).
    #[must_use]
    pub fn compose(&self, kind: Kind, number: u32, cases: &[About<'_>], at: i64) -> Composed {
        let mut composed = Composed::default();
        let mut together: BTreeMap<Together<'_>, Vec<Ready<'_>>> = BTreeMap::new();
        for about in cases {
            match self.channel_of(about) {
                Ok((channel, policy)) => {
                    let bundle = self.policies.bundles.iter().find(|bundle| bundle.policies.iter().any(|(code, _)| code == about.policy));
                    let place = bundle.map_or(Err(about.case), |bundle| Ok(bundle.id.as_str()));
                    together.entry((channel, about.kind, about.subject, place)).or_default().push(Ready { about, policy });
                }
                Err(why) => composed.silent.push((about.case.to_owned(), why)),
            }
        }
        for ((channel, .., bundle), mut cases) in together {
            cases.sort_by(|one, other| (one.about.policy, one.about.case).cmp(&(other.about.policy, other.about.case)));
            let bundle = bundle.ok().filter(|_| cases.len() > 1).and_then(|id| self.policies.bundles.iter().find(|bundle| bundle.id == id));
            composed.messages.push(self.one(kind, number, channel, bundle, &cases, at));
        }
        composed
    }

    fn channel_of(&self, about: &About<'_>) -> Result<(&str, &PolicyDocument), Silence> {
        if !about.notify {
            return Err(Silence::OptedOut);
        }
        let of_code = self.policies.policies.iter().filter(|policy| policy.code == about.policy);
        let exact = of_code.clone().find(|policy| Some(policy.version) == about.version);
        let policy = exact.or_else(|| of_code.max_by_key(|policy| policy.version)).ok_or(Silence::UnknownPolicy)?;
        Ok((self.channel(about.kind, about.policy).ok_or(Silence::NoChannel)?, policy))
    }

    /// The channel by which such subjects hear of a policy; none where none is set.
    pub(super) fn channel(&self, kind: SubjectKind, policy: &str) -> Option<&str> {
        let channel = self.settings.channels.iter().find(|channel| channel.takes(kind, policy));
        channel.map(|channel| channel.name.as_str())
    }

    fn one(&self, kind: Kind, number: u32, channel: &str, bundle: Option<&document::Bundle>, cases: &[Ready<'_>], at: i64) -> NewMessage {
        let about = cases[0].about;
        let items: Vec<Item> = cases.iter().map(|ready| self.item(ready, at)).collect();
        let told: Vec<(Text, Text)> = cases.iter().zip(&items).map(|(ready, item)| self.words(kind, ready, item)).collect();
        let (title, text) = match bundle {
            None => told.into_iter().next().unwrap_or_default(),
            Some(bundle) => self.bundled(bundle, about, &told),
        };
        let ids: Vec<String> = items.iter().map(|item| item.case.clone()).collect();
        let message = Message {
            version: message::VERSION,
            id: message::id(kind, number, ids.iter().map(String::as_str)),
            kind,
            number,
            at: DateTime::from_timestamp_micros(at).map_or_else(String::new, |time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string()),
            subject: Subject { kind: about.kind.name().to_owned(), id: about.subject.to_owned(), masked: mask(about.subject) },
            bundle: bundle.map(|bundle| Bundle { id: bundle.id.clone(), name: Text::from(&bundle.name) }),
            title,
            text,
            items,
        };
        NewMessage {
            body: serde_json::to_vec(&message).expect("texts and numbers make JSON"),
            id: message.id,
            channel: channel.to_owned(),
            kind: about.kind,
            subject: about.subject.to_owned(),
            cases: ids,
            not_before: self.settings.quiet.map_or(at, |quiet| quiet.next(at)),
        }
    }

    fn item(&self, ready: &Ready<'_>, at: i64) -> Item {
        let Ready { about, policy } = ready;
        let link = |page| self.settings.links.as_ref().map(|links| links.to(about.case, page, at));
        let criteria = policy.criteria.criteria();
        let carries = |id: &str| about.reasons.contains(&id);
        Item {
            case: about.case.to_owned(),
            policy: Policy {
                code: policy.code.clone(),
                version: policy.version,
                name: Text::from(&policy.name),
                authority: policy.authority_name.clone(),
            },
            mode: about.mode.name().to_owned(),
            amount: about.amount.map(amount_text),
            unit: policy.benefit.unit.clone(),
            period: about.period.to_owned(),
            occasion: about.occasion.map(str::to_owned),
            member: about.member.map(str::to_owned),
            payee: about.payee.map(str::to_owned),
            reasons: criteria.into_iter().filter(|criterion| carries(&criterion.id)).map(|criterion| reason(policy, criterion)).collect(),
            until: about.until.map(|day| day.to_string()),
            link: link(Page::Case),
            object: link(Page::Object),
        }
    }

    fn words(&self, kind: Kind, ready: &Ready<'_>, item: &Item) -> (Text, Text) {
        let Ready { about, policy } = ready;
        let say = |hole: Hole| match hole {
            Hole::Policy => Some(item.policy.name.clone()),
            Hole::Authority => Some(words::plain(&policy.authority_name)),
            Hole::Who => Some(words::who(about.kind)),
            Hole::Subject => Some(words::plain(&mask(about.subject))),
            Hole::Object => Some(item.object.as_deref().map_or_else(
                || Text { zh: format!("请向{}提出", policy.authority_name), en: format!("please turn to {}", policy.authority_name) },
                words::plain,
            )),
            Hole::Amount => about.amount.map(|amount| words::amount(amount, &policy.benefit.unit)),
            Hole::Period => words::period(about.period),
            // An occasion that is somebody's identifier is not spelt out.
            Hole::Occasion => about.occasion.map(|occasion| words::plain(&masked(occasion))),
            Hole::Reason => reasons(&item.reasons),
            Hole::Link => item.link.as_deref().map(words::plain),
            Hole::Until => about.until.map(words::day),
            Hole::Note => about.note.map(Text::from),
            Hole::Bundle | Hole::Count | Hole::Items => None,
        };
        self.templates.of(about.policy, kind).fill(&say)
    }

    fn bundled(&self, bundle: &document::Bundle, about: &About<'_>, told: &[(Text, Text)]) -> (Text, Text) {
        let lines = |text: fn(&Text) -> &str| {
            let lines = told.iter().enumerate().map(|(at, (_, said))| format!("{}. {}", at + 1, text(said)));
            lines.collect::<Vec<_>>().join("\n")
        };
        let say = |hole: Hole| match hole {
            Hole::Who => Some(words::who(about.kind)),
            Hole::Subject => Some(words::plain(&mask(about.subject))),
            Hole::Bundle => Some(Text::from(&bundle.name)),
            Hole::Count => Some(words::plain(&told.len().to_string())),
            Hole::Items => Some(Text { zh: lines(|text| &text.zh), en: lines(|text| &text.en) }),
            _ => None,
        };
        self.templates.of_bundle().fill(&say)
    }
}

/// A text, masked where it is the identifier of a person or an entity.
fn masked(text: &str) -> String {
    use crate::register::identifier::{normalise_entity_id, normalise_person_id};
    if normalise_person_id(text).is_ok() || normalise_entity_id(text).is_ok() { mask(text) } else { text.to_owned() }
}

/// The condition in plain words: its label, else its clause, else its identifier.
fn reason(policy: &PolicyDocument, criterion: &document::Criterion) -> Reason {
    let plain = || words::plain(criterion.clause.as_deref().unwrap_or(&criterion.id));
    Reason { label: criterion.label.as_ref().map_or_else(plain, Text::from), clause: policy.cite(criterion) }
}

fn reasons(reasons: &[Reason]) -> Option<Text> {
    let (zh, en): (Vec<&str>, Vec<&str>) = reasons.iter().map(|reason| (reason.label.zh.as_str(), reason.label.en.as_str())).unzip();
    (!zh.is_empty()).then(|| Text { zh: zh.join("; "), en: en.join("; ") })
}

/// Messages that wait and are not to be sent any more, with why: the subject opted out, or the grant was withdrawn.
#[must_use]
pub fn drop_waiting(messages: &[MessageRow], why: &str) -> Vec<DeliveryStep> {
    let waiting = messages.iter().filter(|message| message.state == MessageState::Waiting);
    waiting
        .map(|row| DeliveryStep {
            id: row.message.id.clone(),
            state: MessageState::Dropped,
            tries: row.tries,
            not_before: row.message.not_before,
            told: why.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests;
