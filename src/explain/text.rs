//! The reason tree as text: every verdict has a mark and a word, so that colour and signs are never needed.

use std::fmt::Write as _;

use super::formula::{Term, words};
use super::judge::Verdict;
use super::reason::{AmountReason, CriterionReason, FactReason, Group, MissingFact, Reason, ReasonNode, RegisterReason, Tie};
use super::value::{grouped, with_unit};
use crate::diagnostic::{Lang, Message};
use crate::policy::document::Mode;

/// The tree in a language, ending with a line break.
#[must_use]
pub fn render(reason: &Reason, lang: Lang, color: bool) -> String {
    let mut page = Page { text: String::new(), lang, color };
    page.reason(reason);
    page.text
}

/// A branch of the drawn tree: what stands before its first line, and before those below.
#[derive(Clone)]
struct Branch {
    first: String,
    rest: String,
}

impl Branch {
    fn child(&self, is_last: bool) -> Self {
        let (first, rest) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        Self { first: format!("{}{first}", self.rest), rest: format!("{}{rest}", self.rest) }
    }

    fn root() -> Self {
        Self { first: String::new(), rest: String::new() }
    }
}

struct Page {
    text: String,
    lang: Lang,
    color: bool,
}

impl Page {
    fn pick<'t>(&self, zh: &'t str, en: &'t str) -> &'t str {
        if self.lang == Lang::Zh { zh } else { en }
    }

    fn line(&mut self, prefix: &str, text: &str) {
        let _ = writeln!(self.text, "{prefix}{text}");
    }

    /// `✓ 是`, `✗ 否`, `? 未知`
    fn mark(&self, verdict: Verdict) -> String {
        let (sign, paint) = match verdict {
            Verdict::Yes => ("✓", "32"),
            Verdict::No => ("✗", "31"),
            Verdict::Unknown => ("?", "33"),
            Verdict::Outside => ("–", "2"),
        };
        let text = format!("{sign} {}", words(verdict).get(self.lang));
        if self.color { format!("\x1b[{paint}m{text}\x1b[0m") } else { text }
    }

    fn reason(&mut self, reason: &Reason) {
        let version = if reason.version > 1 { format!(" v{}", reason.version) } else { String::new() };
        let head = format!("{}  {}{version}  {}", reason.name.get(self.lang), reason.policy, reason.as_of);
        self.line("", &head);
        let verdict = format!("{}{}", self.pick("判定: ", "verdict: "), self.mark(reason.verdict));
        self.line("", &verdict);
        if let Some(fault) = &reason.fault {
            let fault = format!("{}{fault}", self.pick("算不出: ", "could not be computed: "));
            self.line("", &fault);
        }
        let root = Branch::root();
        let ties = reason.requires.len();
        self.coverage(reason, &root.child(false));
        self.node(&reason.criteria, &root.child(ties == 0));
        for (at, tie) in reason.requires.iter().enumerate() {
            let text = format!("{}  {}{}", self.mark(tie.verdict), self.pick("须同时享受: ", "must also be entitled to: "), self.tie(tie));
            self.line(&root.child(at + 1 == ties).first, &text);
        }
        self.missing(reason);
        if let Some(amount) = &reason.amount {
            self.amount(amount);
        }
        self.delivery(reason);
        self.plain(reason);
    }

    fn plain(&mut self, reason: &Reason) {
        let head = self.pick("通俗地说:", "In plain words:").to_owned();
        self.line("", &head);
        for sentence in &reason.plain {
            let text = sentence.get(self.lang).to_owned();
            self.line("  ", &text);
        }
    }

    fn tie(&self, tie: &Tie) -> String {
        format!("{} {}", tie.name.get(self.lang), tie.policy)
    }

    fn coverage(&mut self, reason: &Reason, branch: &Branch) {
        let coverage = &reason.coverage;
        let region = format!("{} {}", coverage.name.get(self.lang), coverage.region);
        let text = format!("{}  {}{region}", self.mark(coverage.verdict), self.pick("适用范围: ", "covers: "));
        self.line(&branch.first, &text);
        if let Some(fact) = &coverage.fact {
            self.fact(fact, &format!("{}     ", branch.rest));
        }
    }

    fn node(&mut self, node: &ReasonNode, branch: &Branch) {
        let (head, group): (String, &Group) = match node {
            ReasonNode::Criterion(criterion) => return self.criterion(criterion, branch),
            ReasonNode::All(group) => (self.pick("全部符合", "all of").to_owned(), group),
            ReasonNode::Any(group) => (self.pick("任一符合", "any of").to_owned(), group),
            ReasonNode::Not(group) => (self.pick("不得符合", "not").to_owned(), group),
            ReasonNode::AtLeast(group) => {
                let count = group.count.unwrap_or_default();
                (if self.lang == Lang::Zh { format!("至少符合 {count} 项") } else { format!("at least {count} of") }, group)
            }
        };
        let text = format!("{}  {head}", self.mark(group.verdict));
        self.line(&branch.first, &text);
        let last = group.items.len();
        for (at, item) in group.items.iter().enumerate() {
            self.node(item, &branch.child(at + 1 == last));
        }
    }

    fn criterion(&mut self, criterion: &CriterionReason, branch: &Branch) {
        let label = criterion.label.as_ref().map_or(String::new(), |label| format!("  {}", label.get(self.lang)));
        let clause = criterion.clause.as_ref().map_or(String::new(), |clause| format!("  {clause}"));
        let text = format!("{}  {}{label}{clause}", self.mark(criterion.verdict), criterion.id);
        self.line(&branch.first, &text);
        let below = format!("{}     ", branch.rest);
        self.line(&below, &criterion.when);
        self.terms(&criterion.terms, &below);
        for fact in &criterion.facts {
            self.fact(fact, &below);
        }
        if !criterion.missing.is_empty() {
            let text = format!("{}{}", self.pick("缺: ", "missing: "), self.names(&criterion.missing));
            self.line(&below, &text);
        }
    }

    fn terms(&mut self, terms: &[Term], below: &str) {
        for term in terms {
            let value = self.value(term.value.as_ref());
            self.line(below, &format!("· {} = {value}", term.text));
        }
    }

    fn value(&self, value: Option<&Message>) -> String {
        value.map_or_else(|| self.pick("未知", "unknown").to_owned(), |value| value.get(self.lang).to_owned())
    }

    fn fact(&mut self, fact: &FactReason, below: &str) {
        let label = fact.label.get(self.lang);
        let name = if label == fact.name { String::new() } else { format!(" {}", fact.name) };
        let cause = fact.cause.map_or(String::new(), |cause| format!(" ({})", cause.words().get(self.lang)));
        let source = if fact.registers.is_empty() { String::new() } else { format!("  [{}]", self.registers(&fact.registers)) };
        let text = format!("· {label}{name} = {}{cause}{source}", self.value(fact.shown.as_ref()));
        self.line(below, &text);
        for part in &fact.from {
            self.fact(part, &format!("{below}  "));
        }
    }

    fn registers(&self, registers: &[RegisterReason]) -> String {
        let one = |register: &RegisterReason| {
            let day = register.data_day.as_ref().map_or(String::new(), |day| format!(", {day}"));
            format!("{}, {}{day}", register.label.get(self.lang), register.kept_by)
        };
        registers.iter().map(one).collect::<Vec<_>>().join("; ")
    }

    fn names(&self, facts: &[MissingFact]) -> String {
        let name = |fact: &MissingFact| {
            let label = fact.label.get(self.lang);
            if label == fact.name { label.to_owned() } else { format!("{label} {}", fact.name) }
        };
        facts.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    fn missing(&mut self, reason: &Reason) {
        for (at, set) in reason.missing.iter().enumerate() {
            let head = if at == 0 {
                self.pick("知道这些即可能符合: ", "could be settled by: ")
            } else {
                self.pick("或者: ", "or by: ")
            };
            let text = format!("{head}{}", self.names(set));
            self.line("", &text);
            if at == 0 {
                for fact in set.iter().filter(|fact| !fact.registers.is_empty()) {
                    let cause = fact.cause.map_or(String::new(), |cause| format!(" ({})", cause.words().get(self.lang)));
                    let text = format!("· {}{cause}  [{}]", fact.label.get(self.lang), self.registers(&fact.registers));
                    self.line("  ", &text);
                }
            }
        }
        if !reason.offer.is_empty() {
            let text = format!("{}{}", self.pick("可以承诺: ", "may be committed to: "), self.names(&reason.offer));
            self.line("", &text);
        }
    }

    fn amount(&mut self, amount: &AmountReason) {
        let each = if amount.per_member { self.pick(", 每人", " for each member") } else { "" };
        let value = match &amount.amount {
            Some(text) => with_unit(&grouped(text), Some(&amount.unit)).get(self.lang).to_owned(),
            None => self.pick("未知", "unknown").to_owned(),
        };
        let clause = amount.clause.as_ref().map_or(String::new(), |clause| format!("  {clause}"));
        let text = format!("{}{value}{each}{clause}", self.pick("金额: ", "amount: "));
        self.line("", &text);
        self.line("  ", &amount.formula);
        if let Some(numbers) = amount.numbers.as_ref().map(|numbers| numbers.get(self.lang)).filter(|numbers| *numbers != amount.formula) {
            let text = format!("= {numbers}");
            self.line("  ", &text);
        }
        self.terms(&amount.terms, "  ");
        for fact in &amount.facts {
            self.fact(fact, "  ");
        }
    }

    fn delivery(&mut self, reason: &Reason) {
        if let Some(mode) = reason.mode {
            let words = match mode {
                Mode::Automatic => self.pick("免申即享", "given without asking"),
                Mode::Confirm => self.pick("一次确认", "one confirmation"),
                Mode::Commit => self.pick("告知承诺", "a commitment"),
                Mode::Review => self.pick("人工复核", "an official decides"),
            };
            let text = format!("{}{} {words}", self.pick("方式: ", "delivery: "), mode.name());
            self.line("", &text);
        }
        for tie in &reason.undecided_against {
            let text = format!("  {}{}", self.pick("与另一项的取舍须人工决定: ", "to be decided against: "), self.tie(tie));
            self.line("", &text);
        }
        if let Some(tie) = &reason.given_up_for {
            let text = format!("  {}{}", self.pick("已享受不能兼得的: ", "given up for: "), self.tie(tie));
            self.line("", &text);
        }
    }
}
