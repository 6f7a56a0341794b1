//! What may be written at the cursor: keys and words of the file's shape, names, codes, the words of the language.

mod expression;
mod names;

use gen_lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemLabelDetails, CompletionItemTextEdit, CompletionResponse, Position, Range, TextEdit,
};

use super::desk::Desk;
use super::hover::one_language;
use super::role::{FileKind, Names, Role};
use super::schema;
use super::spot::{Kind, Spot};

/// Something that may be written, before it is known what it replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offer {
    /// What is shown and filtered by.
    label: String,
    /// What is written.
    insert: String,
    kind: CompletionItemKind,
    /// Another name, behind the label.
    aside: String,
    /// What it is, in a few words.
    detail: String,
    /// What comes first: lower is earlier.
    rank: u8,
}

impl Offer {
    fn new(label: impl Into<String>, kind: CompletionItemKind) -> Self {
        let label = label.into();
        Self { insert: label.clone(), label, kind, aside: String::new(), detail: String::new(), rank: 5 }
    }

    fn aside(mut self, aside: impl Into<String>) -> Self {
        self.aside = aside.into();
        self
    }

    fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    fn insert(mut self, insert: impl Into<String>) -> Self {
        self.insert = insert.into();
        self
    }

    fn rank(mut self, rank: u8) -> Self {
        self.rank = rank;
        self
    }
}

/// What may be written at a position; nothing in comments, and where nothing is known.
pub(super) fn complete(desk: &Desk<'_>, position: Position) -> Option<CompletionResponse> {
    let offset = desk.lines().offset(position);
    let spot = Spot::before(&desk.text, offset)?;
    let (offers, begin) = offers(desk, &spot);
    let start = spot.place(&(begin..begin)).start;
    let range = desk.lines().range(&(start..offset));
    let mut items: Vec<CompletionItem> = offers.into_iter().map(|offer| item(offer, range)).collect();
    items.sort_by(|one, other| one.sort_text.cmp(&other.sort_text));
    items.dedup_by(|one, other| one.label == other.label && one.kind == other.kind);
    Some(CompletionResponse::CompletionItemList(items))
}

fn item(offer: Offer, range: Range) -> CompletionItem {
    let Offer { label, insert, kind, aside, detail, rank } = offer;
    let details = CompletionItemLabelDetails { detail: None, description: Some(aside.clone()) };
    CompletionItem {
        label_details: Some(details).filter(|_| !aside.is_empty()),
        kind: Some(kind),
        // Clients without room behind the label still show what it is.
        detail: Some([aside, detail].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · "))
            .filter(|text| !text.is_empty()),
        sort_text: Some(format!("{rank}{label}")),
        filter_text: Some(label.clone()),
        text_edit: Some(CompletionItemTextEdit::TextEdit(TextEdit { range, new_text: insert })),
        label,
        ..CompletionItem::default()
    }
}

/// What may be written, and the byte of the spot's text at which what it replaces begins.
fn offers(desk: &Desk<'_>, spot: &Spot) -> (Vec<Offer>, usize) {
    let mut begin = 0;
    let mut found = Vec::new();
    match desk.role(spot) {
        Some(Role::Expression(names)) if spot.kind != Kind::Key => {
            (found, begin) = expression::offers(desk, spot, &names);
        }
        Some(Role::Fact(kind)) => {
            let names = Names { register: None, facts: Some(kind) };
            (found, begin) = expression::paths(desk, &spot.text, &names);
            if spot.kind != Kind::Value {
                for offer in &mut found {
                    offer.insert.push_str(": ");
                }
            }
        }
        Some(role) => found = names::offers(desk, &role, spot),
        None => {}
    }
    if spot.kind != Kind::Key {
        found.extend(words(desk, spot));
    }
    if spot.kind != Kind::Value {
        found.extend(keys(desk, spot));
    }
    (found, begin)
}

/// The words that the shape of the file allows.
fn words(desk: &Desk<'_>, spot: &Spot) -> Vec<Offer> {
    let words = match desk.file.as_ref() {
        Some(FileKind::Levels) if spot.keys().starts_with(&["severity"]) && spot.keys().len() == 2 => {
            ["deny", "warn", "allow"].map(str::to_owned).into()
        }
        Some(file) => schema::of(file).map(|schema| schema::words(&schema, &spot.path)).unwrap_or_default(),
        None => Vec::new(),
    };
    words.into_iter().map(|word| Offer::new(word, CompletionItemKind::EnumMember).rank(1)).collect()
}

/// The keys that the shape of the file allows.
fn keys(desk: &Desk<'_>, spot: &Spot) -> Vec<Offer> {
    let Some(schema) = desk.file.as_ref().and_then(schema::of) else { return Vec::new() };
    let present: Vec<&str> = spot.siblings.iter().map(|(key, _)| key.as_str()).collect();
    let keys = schema::keys(&schema, &spot.path, &present);
    let offer = |key: schema::Key| {
        let text = key.text.as_deref().map_or("", |text| one_language(text, desk.lang));
        let needed = if key.required { desk.pick("必填", "required") } else { "" };
        let detail: Vec<&str> = [needed, text].into_iter().filter(|part| !part.is_empty()).collect();
        let insert = format!("{}: ", key.name);
        Offer::new(key.name, CompletionItemKind::Property).insert(insert).detail(detail.join(" · ")).rank(if key.required { 2 } else { 3 })
    };
    keys.into_iter().map(offer).collect()
}
