//! The words for people: steps, commands, what a case waits for, why an official must look.

use super::case::{Step, Why};
use super::event::{Role, What};
use super::plan::Next;
use crate::diagnostic::Message;

impl Step {
    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        step(self)
    }
}

impl Why {
    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::Policy => Message::new("按政策审核", "the policy asks for a review"),
            Self::Returned => Message::new("退回后重审", "sent back"),
            Self::Objection => Message::new("有异议", "an objection"),
            Self::NoReply => Message::new("逾期未答复", "no reply"),
            Self::Lost => Message::new("现在不再符合, 请核实", "no longer found: please look"),
            Self::Less => Message::new("重算后金额变少, 请核实", "comes to less when recomputed: please look"),
        }
    }
}

impl Next {
    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        next(self)
    }
}

impl Role {
    /// The words for people.
    #[must_use]
    pub fn label(self) -> Message {
        match self {
            Self::System => Message::new("系统", "the program"),
            Self::Official => Message::new("经办人", "official"),
            Self::Subject => Message::new("服务对象", "subject"),
            Self::Public => Message::new("公众", "public"),
        }
    }
}

impl What {
    /// The words for people.
    #[must_use]
    pub fn label(&self) -> Message {
        match self {
            Self::Found { .. } => step(Step::Found),
            Self::Reviewed => Message::new("已审核", "reviewed"),
            Self::Published => step(Step::Published),
            Self::Told { .. } => step(Step::Told),
            Self::Sent { .. } => Message::new("已发送通知", "a message was sent"),
            Self::Untold { .. } => Message::new("通知没有送到", "a message did not arrive"),
            Self::Confirmed { by_rule: false } => step(Step::Confirmed),
            Self::Confirmed { by_rule: true } => Message::new("逾期未答复, 按政策视同确认", "no reply: given by the policy's rule"),
            Self::Declined => step(Step::Declined),
            Self::Returned => step(Step::Returned),
            Self::Objected => Message::new("提出异议", "objected"),
            Self::Corrected { .. } => Message::new("更正金额", "corrected"),
            Self::Reckoned { .. } => Message::new("重算", "recomputed"),
            Self::Questioned { why, .. } => {
                let label = why.label();
                Message::new(format!("提请审核: {}", label.zh), format!("review asked for: {}", label.en))
            }
            Self::Regained => Message::new("又符合", "found again"),
            Self::Withdrawn => step(Step::Withdrawn),
            Self::Paid { .. } => step(Step::Paid),
            Self::Rated { .. } => step(Step::Rated),
            Self::Closed { by_rule: false } => step(Step::Closed),
            Self::Closed { by_rule: true } => Message::new("逾期未答复, 按政策办结", "no reply: closed by the policy's rule"),
        }
    }
}

pub(super) fn step(step: Step) -> Message {
    match step {
        Step::Found => Message::new("已发现", "found"),
        Step::Reviewed => Message::new("已审核", "reviewed"),
        Step::Published => Message::new("已公示", "published"),
        Step::Told => Message::new("已告知", "told"),
        Step::Confirmed => Message::new("已确认", "confirmed"),
        Step::Declined => Message::new("已放弃", "declined"),
        Step::Returned => Message::new("已退回", "returned"),
        Step::Paid => Message::new("已兑付", "paid"),
        Step::Rated => Message::new("已评价", "rated"),
        Step::Withdrawn => Message::new("已撤回", "withdrawn"),
        Step::Closed => Message::new("已办结", "closed"),
    }
}

pub(super) fn next(next: Next) -> Message {
    match next {
        Next::Review => Message::new("审核", "review"),
        Next::Publish => Message::new("公示", "publication"),
        Next::Notice => Message::new("公示期满", "the end of the notice"),
        Next::Tell => Message::new("告知", "telling the subject"),
        Next::Reply => Message::new("对象答复", "the subject's reply"),
        Next::Pay => Message::new("兑付", "payment"),
        Next::Close => Message::new("办结", "closing"),
        Next::Nothing => Message::new("无", "nothing"),
    }
}

/// The words of a command.
#[must_use]
pub fn command(word: &str) -> Message {
    match word {
        "review" => Message::new("审核通过", "review"),
        "publish" => Message::new("公示", "publish"),
        "tell" => Message::new("告知", "tell"),
        "confirm" => Message::new("确认", "confirm"),
        "decline" => Message::new("放弃", "decline"),
        "return" => Message::new("退回", "return"),
        "object" => Message::new("提出异议", "object"),
        "correct" => Message::new("更正", "correct"),
        "withdraw" => Message::new("撤回", "withdraw"),
        "pay" => Message::new("兑付", "pay"),
        "rate" => Message::new("评价", "rate"),
        "close" => Message::new("办结", "close"),
        "lapse" => Message::new("按逾期规则处理", "lapse"),
        other => Message::new(other, other),
    }
}
