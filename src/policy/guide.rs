//! What an item's guide (办事指南) says that criteria cannot say. Types only; `read_guide.rs` fills them.
//!
//! Everything may be left out: what is not said is not known, and is not "none".

use crate::diagnostic::{Message, Span};

/// The guide of one policy.
#[derive(Debug, Clone)]
pub struct Guide {
    /// Its place.
    pub place: Span,
    /// Who takes it in hand (受理单位).
    pub accepted_by: Option<Message>,
    /// What happens, step by step (办理流程).
    pub process: Vec<Message>,
    /// What the subject must still bring (材料); an empty list: nothing; none: not said.
    pub materials: Option<Vec<Material>>,
    /// What is often done wrong (常见错误).
    pub mistakes: Vec<Message>,
    /// What it costs the subject (收费).
    pub fee: Option<Message>,
    /// How long it may take at most by law (法定时限).
    pub statutory: Option<Limit>,
    /// How long it takes at most by promise (承诺时限).
    pub promised: Option<Limit>,
    /// Whom to ask (咨询).
    pub contacts: Vec<Contact>,
    /// Anything else.
    pub notes: Vec<Message>,
}

impl Guide {
    /// What the subject must still bring, as far as it is said.
    pub fn needed(&self) -> impl Iterator<Item = &Material> {
        self.materials.iter().flatten()
    }
}

/// Something that the subject must bring because no register has it.
#[derive(Debug, Clone)]
pub struct Material {
    /// What it is.
    pub name: Message,
    /// Its place.
    pub place: Span,
    /// Why no register has it.
    pub why: Message,
    /// Who must bring it; none: everybody.
    pub when: Option<Message>,
    /// The facts that it tells, each with its place.
    pub tells: Vec<(String, Span)>,
    /// In which form; none: not said.
    pub form: Option<Form>,
    /// How many; none: one.
    pub copies: Option<i64>,
    /// What a right one looks like (样例).
    pub sample: Option<Message>,
}

/// In which form a material is brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The original (原件).
    Original,
    /// A copy (复印件).
    Copy,
    /// An electronic file or certificate (电子件).
    Electronic,
    /// The original is shown and given back (核验原件).
    Shown,
}

impl Form {
    /// The word in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Copy => "copy",
            Self::Electronic => "electronic",
            Self::Shown => "shown",
        }
    }

    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Original => Message::new("原件", "original"),
            Self::Copy => Message::new("复印件", "copy"),
            Self::Electronic => Message::new("电子件", "electronic file"),
            Self::Shown => Message::new("原件核验后退还", "original, shown and given back"),
        }
    }
}

/// How long something may take.
#[derive(Debug, Clone)]
pub struct Limit {
    /// How many days.
    pub days: i64,
    /// Whether they are working days; else days of the calendar.
    pub working: bool,
    /// From when they are counted.
    pub from: Option<Message>,
    /// The clause that sets it, in the words of the document.
    pub clause: Option<String>,
}

impl Limit {
    /// `20个工作日`, `20 working days`
    #[must_use]
    pub fn words(&self) -> Message {
        let (days, plural) = (self.days, if self.days == 1 { "" } else { "s" });
        if self.working {
            Message::new(format!("{days}个工作日"), format!("{days} working day{plural}"))
        } else {
            Message::new(format!("{days}天"), format!("{days} day{plural}"))
        }
    }
}

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Contact {
    /// Who; none: whoever takes the item in hand.
    pub name: Option<Message>,
    /// Telephone.
    pub phone: Option<String>,
    /// Address.
    pub place: Option<Message>,
    /// When somebody is there.
    pub hours: Option<Message>,
}
