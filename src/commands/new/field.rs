//! What is asked about a new policy: each field with its words, and what may stand in it.

use crate::diagnostic::Message;

/// One thing that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Name,
    NameEn,
    Authority,
    AuthorityName,
    Code,
    Region,
    By,
    Subject,
    InForce,
    BasisTitle,
    BasisNumber,
    BasisArticle,
    BasisStatus,
    Listed,
    Clause,
    When,
    Kind,
    Amount,
    AmountClause,
    Period,
    Mode,
    Slug,
}

/// A field with the key of forms and flags, the words of forms, and the question.
pub(super) struct Asked {
    pub(super) field: Field,
    /// In forms as it is, as a flag with `-` for `_`.
    pub(super) key: &'static str,
    /// What forms in Chinese call it.
    pub(super) heads: &'static [&'static str],
    /// What is asked, and how the answer looks.
    pub(super) zh: &'static str,
    pub(super) en: &'static str,
}

const fn asked(field: Field, key: &'static str, heads: &'static [&'static str], zh: &'static str, en: &'static str) -> Asked {
    Asked { field, key, heads, zh, en }
}

/// Every field, in the order in which it is asked.
pub(super) static FIELDS: [Asked; 22] = [
    asked(Field::Name, "name", &["名称", "政策名称", "事项名称"], "政策名称", "name in Chinese"),
    asked(Field::NameEn, "name_en", &["英文名称"], "英文名称 (可不填)", "name in English (may be left out)"),
    asked(
        Field::Authority,
        "authority",
        &["机关编码", "主管部门编码"],
        "机关编码, 如 990100-MZ",
        "code of the authority, such as 990100-MZ",
    ),
    asked(Field::AuthorityName, "authority_name", &["机关", "机关名称", "主管部门"], "机关名称", "name of the authority"),
    asked(Field::Code, "code", &["编码", "事项编码", "政策编码"], "编码, 一事一码", "code: one item, one code"),
    asked(Field::Region, "region", &["地区", "适用地区", "区划"], "适用地区的区划代码, 如 990100", "code of the region, such as 990100"),
    asked(Field::By, "by", &["按什么属于该地区"], "决定是否属于该地区的事实", "the fact that decides whether one belongs to it"),
    asked(Field::Subject, "subject", &["服务对象", "对象"], "服务对象: 个人、家庭、单位", "subject: person, household, entity"),
    asked(Field::InForce, "in_force", &["施行日", "施行日期", "起始日"], "施行日, 如 2026-01-01", "first day in force, such as 2026-01-01"),
    asked(Field::BasisTitle, "basis_title", &["依据", "依据名称", "文件名称"], "依据文件的名称", "title of the document that it rests on"),
    asked(Field::BasisNumber, "basis_number", &["文号"], "文号 (可不填)", "number of the document (may be left out)"),
    asked(
        Field::BasisArticle,
        "basis_article",
        &["条款", "条款号"],
        "条款号, 如 第五条 (可不填)",
        "article, such as 第五条 (may be left out)",
    ),
    asked(
        Field::BasisStatus,
        "basis_status",
        &["依据状态"],
        "手边有原文 (text)、凭记忆 (memory) 还是样例 (sample)",
        "text before you (text), from memory (memory), or invented (sample)",
    ),
    asked(
        Field::Listed,
        "listed",
        &["名单", "认定名单"],
        "认定名单的代码 (数据比对类不填)",
        "code of the authority's list (left out where registers decide)",
    ),
    asked(Field::Clause, "clause", &["条文", "条件条文", "申领条件"], "条件的条文原话", "the words of the document for a condition"),
    asked(Field::When, "when", &["条件", "规则"], "条件, 如 年龄 大于等于 65", "the condition, such as age >= 65"),
    asked(
        Field::Kind,
        "kind",
        &["待遇种类", "种类"],
        "待遇种类: 现金、返还、减免、服务、保险、税费",
        "kind: cash, refund, waiver, service, insurance, tax",
    ),
    asked(Field::Amount, "amount", &["金额", "标准"], "金额, 一个数或表达式", "amount: a number or an expression"),
    asked(
        Field::AmountClause,
        "amount_clause",
        &["金额条文", "标准条文"],
        "金额的条文原话 (可不填)",
        "the words of the document for the amount (may be left out)",
    ),
    asked(Field::Period, "period", &["周期", "发放周期"], "发放周期: 一次、月、年、天", "period: once, month, year, day"),
    asked(Field::Mode, "mode", &["方式", "送达方式"], "方式: 免申即享、确认、承诺、审核", "delivery: automatic, confirm, commit, review"),
    asked(Field::Slug, "slug", &["文件夹"], "文件夹名, 小写字母和连字符", "name of the folder: small letters and hyphens"),
];

impl Field {
    pub(super) fn asked(self) -> &'static Asked {
        // Every field is in the table: a test looks.
        FIELDS.iter().find(|asked| asked.field == self).unwrap_or(&FIELDS[0])
    }

    /// The field that a form calls so.
    pub(super) fn by_head(head: &str) -> Option<Self> {
        let head = head.trim().trim_end_matches([':', '：']);
        let key = head.to_ascii_lowercase().replace(['-', ' '], "_");
        FIELDS.iter().find(|asked| asked.key == key || asked.heads.contains(&head)).map(|asked| asked.field)
    }

    /// `名称 (--name)`
    pub(super) fn words(self) -> Message {
        let asked = self.asked();
        let flag = self.flag();
        Message::new(format!("{} ({flag})", asked.heads[0]), flag)
    }

    pub(super) fn flag(self) -> String {
        format!("--{}", self.asked().key.replace('_', "-"))
    }

    /// The words that may stand in it, with the word in policy files; empty where anything may.
    pub(super) fn choices(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Subject => &SUBJECTS,
            Self::Kind => &KINDS,
            Self::Period => &PERIODS,
            Self::Mode => &MODES,
            Self::BasisStatus => &STATUSES,
            _ => &[],
        }
    }
}

const SUBJECTS: [(&str, &str); 9] = [
    ("person", "person"),
    ("个人", "person"),
    ("household", "household"),
    ("家庭", "household"),
    ("户", "household"),
    ("entity", "entity"),
    ("单位", "entity"),
    ("企业", "entity"),
    ("法人", "entity"),
];
const KINDS: [(&str, &str); 13] = [
    ("cash", "cash"),
    ("现金", "cash"),
    ("补贴", "cash"),
    ("refund", "refund"),
    ("返还", "refund"),
    ("waiver", "waiver"),
    ("减免", "waiver"),
    ("service", "service"),
    ("服务", "service"),
    ("insurance", "insurance"),
    ("保险", "insurance"),
    ("tax", "tax"),
    ("税费", "tax"),
];
const PERIODS: [(&str, &str); 14] = [
    ("once", "once"),
    ("一次", "once"),
    ("一次性", "once"),
    ("month", "month"),
    ("月", "month"),
    ("按月", "month"),
    ("每月", "month"),
    ("year", "year"),
    ("年", "year"),
    ("按年", "year"),
    ("每年", "year"),
    ("day", "day"),
    ("天", "day"),
    ("按天", "day"),
];
const MODES: [(&str, &str); 12] = [
    ("automatic", "automatic"),
    ("免申即享", "automatic"),
    ("直接发放", "automatic"),
    ("confirm", "confirm"),
    ("确认", "confirm"),
    ("一次确认", "confirm"),
    ("commit", "commit"),
    ("承诺", "commit"),
    ("告知承诺", "commit"),
    ("review", "review"),
    ("审核", "review"),
    ("人工复核", "review"),
];
const STATUSES: [(&str, &str); 6] =
    [("text", "text"), ("原文", "text"), ("memory", "memory"), ("凭记忆", "memory"), ("sample", "sample"), ("样例", "sample")];

#[cfg(test)]
mod tests {
    //! Every field has its words, and no two share one.

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn words_are_told_apart() {
        let words: Vec<&str> = FIELDS.iter().flat_map(|asked| asked.heads.iter().copied().chain([asked.key])).collect();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len());
        for asked in &FIELDS {
            assert_eq!(Field::by_head(asked.key), Some(asked.field));
            assert_eq!(Field::by_head(&format!(" {}：", asked.heads[0])), Some(asked.field));
            assert!(std::ptr::eq(asked.field.asked(), asked));
        }
        assert_eq!(Field::by_head("备注"), None);
    }
}
