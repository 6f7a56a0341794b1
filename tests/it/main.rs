//! The command line as a black box: exit code, stdout, stderr.

mod book;
mod case;
mod cases;
mod check;
mod desk;
mod explain;
mod explain_sample;
mod lsp;
mod match_faults;
mod match_sample;
mod month;
mod new;
mod outcome;
mod push;
mod readiness;
mod serve;
mod silence;
mod simulate;
mod site;
mod store;
mod stream;
mod stream_days;
mod support;
mod test;
mod trial;
mod walkthrough;
