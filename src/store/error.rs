//! Why the store could not do what it was asked, and what to tell people. No secret of its address is ever in a text.

use crate::diagnostic::{Diagnostic, code};

/// What only one process works on at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// A run is being loaded.
    Load,
    /// A generation of the live part is being filled.
    Fill,
    /// The changes of the store are being followed: the lease is another's.
    Lease,
}

/// Why the store could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// The address is none: what is wrong with it.
    BadAddress(String),
    /// There is none at the address.
    Missing,
    /// Something is there already.
    Occupied,
    /// What is there is no store of ours, or not the part that it should be.
    Foreign(String),
    /// Written by a newer version of the program: its schema version, and the newest that this one reads.
    Newer {
        /// What is there.
        found: i64,
        /// What can be read.
        known: i64,
    },
    /// Another process is at work on what only one may: on what.
    Busy(Held),
    /// The disk is full, or the database's quota used up.
    Full,
    /// The database cannot be reached, or refuses to let us in.
    Unreachable(String),
    /// What was read is not what was written.
    Damaged(String),
    /// The run is no longer kept.
    Gone,
    /// The lease on the stream went to another, or a source is not where it was taken to be.
    Fenced(String),
    /// A case was moved on by another meanwhile.
    Raced(String),
    /// Anything else that the database tells.
    Failed(String),
}

impl StoreError {
    /// What to tell people, with the place of the store.
    #[must_use]
    pub fn into_diagnostic(self, place: &str) -> Diagnostic {
        let fault = |zh: String, en: String| Diagnostic::new(&code::STORE_FAILED, format!("{place}: {zh}"), format!("{place}: {en}"));
        match self {
            Self::BadAddress(what) => fault(format!("存储地址有误: {what}"), format!("not the address of a store: {what}")).help(
                "用文件路径、sqlite:路径 或 postgres://用户@主机/库名",
                "use a file path, sqlite:PATH, or postgres://user@host/database",
            ),
            Self::Missing => fault("没有这个存储".to_owned(), "there is no such store".to_owned())
                .help("mianshen match --store 会建立它", "mianshen match --store makes it"),
            Self::Occupied => fault("那里已经有文件".to_owned(), "something is there already".to_owned())
                .help("换一个路径, 或在恢复时加 --replace", "choose another path, or restore with --replace"),
            Self::Foreign(what) => fault(format!("不是本程序的存储: {what}"), format!("not a store of this program: {what}"))
                .help("换一个路径; 原有内容没有改动", "choose another path; what is there was not touched"),
            Self::Newer { found, known } => fault(
                format!("存储由更新的版本写成 (格式 {found}, 本程序认识到 {known})"),
                format!("the store was written by a newer version (format {found}, this program reads up to {known})"),
            )
            .help("升级本程序; 存储没有改动", "upgrade this program; the store was not touched"),
            Self::Busy(held) => {
                let (zh, en) = match held {
                    Held::Load => ("另一批次正在装入", "another run is being loaded"),
                    Held::Fill => ("另一进程正在装入实时部分", "another process is filling the live part"),
                    Held::Lease => ("另一进程正在跟随变更", "another process follows the changes"),
                };
                fault(zh.to_owned(), en.to_owned()).help("等它结束后再运行", "wait for it to end, then run again")
            }
            Self::Fenced(what) => fault(format!("已由另一个流处理进程接管: {what}"), format!("another stream process took over: {what}"))
                .help(
                    "一次只运行一个 mianshen stream; 本进程没有写入任何内容",
                    "run one mianshen stream at a time; nothing of this one was written",
                ),
            Self::Raced(case) => fault(format!("办件已被他人推进: {case}"), format!("another moved the case on meanwhile: {case}"))
                .help("重新打开办件再办", "open the case again, then act"),
            Self::Full => fault("磁盘已满".to_owned(), "the disk is full".to_owned()).help(
                "腾出空间后重新运行; 上一批次没有改动, 照常可读",
                "free some space and run again; the run before is untouched and readable",
            ),
            Self::Unreachable(what) => fault(format!("连不上数据库: {what}"), format!("the database cannot be reached: {what}"))
                .help("检查地址、网络、用户和密码", "check address, network, user and password"),
            Self::Damaged(what) => fault(format!("存储内容损坏: {what}"), format!("the store is damaged: {what}")).help(
                "从备份恢复 (mianshen store restore), 或重新装入批次",
                "restore a backup (mianshen store restore), or load the run again",
            ),
            Self::Gone => fault("这一批次已不再保留".to_owned(), "the run is no longer kept".to_owned())
                .help("mianshen store info 列出保留的批次", "mianshen store info lists the runs that are kept"),
            Self::Failed(what) => fault(format!("存储出错: {what}"), format!("the store failed: {what}"))
                .help("检查空间和权限", "check free space and permissions"),
        }
    }
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.clone().into_diagnostic("store").headline.en)
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_must_wait_is_told_for_what() {
        let told = |held: Held| StoreError::Busy(held).to_string();
        assert_eq!(told(Held::Load), "store: another run is being loaded");
        assert_eq!(told(Held::Fill), "store: another process is filling the live part");
        assert_eq!(told(Held::Lease), "store: another process follows the changes");
    }
}
