//! `mianshen generate`: a synthetic city's registers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::NaiveDate;

use super::context::date_argument;
use super::progress::Bar;
use super::{Context, Exit};
use crate::diagnostic::progress::Progress;
use crate::diagnostic::{Diagnostic, Message, code};
use crate::sample::{SampleError, SampleOptions, generate};

/// Arguments of `generate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// 人数 / How many people
    #[arg(long, value_name = "N")]
    pub persons: usize,
    /// 种子: 同一种子得同一城市 / The same seed gives the same city
    #[arg(long, default_value_t = 20_260_630)]
    pub seed: u64,
    /// 数据日 / The day that the registers speak for
    #[arg(long, value_name = "DATE", default_value = "2026-06-30", value_parser = date_argument)]
    pub data_day: NaiveDate,
    /// 输出目录 / Where the registers go
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// 小样本: 单位更密, 残疾人证为 GBK 的 CSV / A small sample: more firms, one register as GBK CSV
    #[arg(long)]
    pub small_sample: bool,
}

/// Runs the verb.
#[must_use]
pub fn run(args: &Args, context: &Context) -> Exit {
    let options = SampleOptions { persons: args.persons, seed: args.seed, data_day: args.data_day, small_sample: args.small_sample };
    let bar = Bar::new(context);
    bar.stage(Message::new("生成登记库", "making registers"), Some(args.persons as u64));
    let done = AtomicUsize::new(0);
    let made = generate(&options, &args.out, &|progress| {
        let before = done.fetch_max(progress.persons_done, Ordering::Relaxed);
        bar.rows(progress.persons_done.saturating_sub(before) as u64);
    });
    bar.clear();
    match made {
        Ok(_) => {
            let out = args.out.display();
            let text = context.pick("登记库已写入", "registers written to");
            context.print(&format!("{text} {out} (sources.yaml, planted.json)\n"), Exit::Clean)
        }
        Err(error) => context.fail(&[told(&error)]),
    }
}

fn told(error: &SampleError) -> Diagnostic {
    match error {
        SampleError::NoPersons => Diagnostic::new(&code::BAD_ARGUMENT, "--persons 至少为 1", "--persons must be at least 1"),
        other => Diagnostic::new(&code::OUTPUT_FAILED, format!("生成失败: {other}"), format!("the city could not be made: {other}"))
            .help("检查 --out 的空间和权限", "check space and permissions of --out"),
    }
}
