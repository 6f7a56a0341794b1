use mianshen::*;
use std::path::Path;
use std::sync::Arc;
#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).with_writer(std::io::stderr).init();
    let d = Path::new("policies");
    let dir = std::env::args().nth(1).unwrap_or("data-samples".into());
    let (regions, mut g) = region::load(d);
    let (regs, g2) = register::load(&d.join("registers"));
    g.extend(g2);
    let (set, g3) = policy::load(d);
    g.extend(g3);
    let as_of = "2026-06-30".parse().unwrap();
    let docs = policy::select(&set.policies, as_of, None);
    let (mut checked, g4) = check::check(Arc::new(regs), &docs, &set.parameters, &regions);
    g.extend(g4);
    print!("{}", diagnostic::render(&g, diagnostic::Format::Full, diagnostic::Lang::En, false));
    let by: std::collections::BTreeMap<_, _> = checked.policies.iter().map(|p| (p.document.code.clone(), p.clone())).collect();
    let binder = check::bind::Binder { as_of, known_at: None, parameters: &set.parameters, regions: &regions, policies: &by };
    let sources = register::Sources::load(&Path::new(&dir).join("sources.yaml")).unwrap();
    let policies = checked.policies.clone();
    let allow = Default::default();
    let f = eligibility::run::run(eligibility::run::Run {
        policies: &policies,
        catalogue: &mut checked.catalogue,
        binder: &binder,
        sources: &sources,
        allow_missing: &allow,
        within: None,
        counts_only: false,
        options: dossier::Options { shards: 1, threads: 2, memory: None, scratch: "/tmp".into() },
        progress: Arc::new(diagnostic::progress::Silent),
        cancel: Default::default(),
    })
    .await;
    let f = match f {
        Ok(f) => f,
        Err(e) => {
            println!("{e:?}");
            println!("{}", diagnostic::render(&[e.into_diagnostic()], diagnostic::Format::Full, diagnostic::Lang::En, false));
            return;
        }
    };
    println!(
        "judged {:?} yes {} unknown {} missing {}",
        f.findings.judged,
        f.findings.yes.len(),
        f.findings.unknown.len(),
        f.findings.missing.len()
    );
    for (i, p) in policies.iter().enumerate() {
        let y: u64 = f.findings.counts[i].values().map(|c| c.yes).sum();
        let n: u64 = f.findings.counts[i].values().map(|c| c.no).sum();
        let u: u64 = f.findings.counts[i].values().map(|c| c.unknown).sum();
        let fs = f.findings.yes.iter().filter(|x| x.policy == i as u32);
        let amt: i64 = fs.clone().filter_map(|x| x.amount).sum();
        println!(
            "{} {:20} yes {y:6} no {n:6} unknown {u:6} findings {} sum {}",
            p.document.code,
            p.document.name.zh,
            fs.count(),
            amt as f64 / 100.0
        );
    }
    let mut m = std::collections::BTreeMap::new();
    for u in &f.findings.unknown {
        *m.entry((policies[u.policy as usize].document.code.clone(), format!("{:?}", f.findings.missing[u.missing as usize].sets)))
            .or_insert(0) += 1;
    }
    let mut v: Vec<_> = m.into_iter().collect();
    v.sort_by_key(|x| -x.1);
    for ((c, s), n) in v.iter().take(40) {
        println!("{n} {c} {}", s.chars().take(260).collect::<String>());
    }
    println!("{:?}", f.seconds);
    println!("{:?}", f.whole_register_unknown);
    println!("conflicts {:?}", f.dossiers.as_ref().unwrap().disagreements.len());
}
#[allow(dead_code)]
fn x() {}
